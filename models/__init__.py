"""Networks and their compression. Training needs torch (extra ``compress``)."""
