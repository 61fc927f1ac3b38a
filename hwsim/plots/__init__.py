"""Pictures of reports and sweeps, in one style; nothing global is changed by importing them."""
