// Behaviour of the ECP5 blocks that are instantiated, as far as they are used; Yosys has none.
// Lattice FPGA-TN-02204 (memory) and FPGA-TN-02205 (sysDSP).

// Simple dual port RAM of 512 words of 36 bits. A word that is read while it is being written is
// not defined on the device: here it is the old one.
module PDPW16KD #(
  parameter DATA_WIDTH_W = 36, DATA_WIDTH_R = 36, REGMODE = "NOREG", RESETMODE = "SYNC",
  parameter GSR = "ENABLED"
) (
  input DI0, DI1, DI2, DI3, DI4, DI5, DI6, DI7, DI8, DI9, DI10, DI11, DI12, DI13, DI14, DI15, DI16,
  input DI17, DI18, DI19, DI20, DI21, DI22, DI23, DI24, DI25, DI26, DI27, DI28, DI29, DI30, DI31,
  input DI32, DI33, DI34, DI35,
  input ADW0, ADW1, ADW2, ADW3, ADW4, ADW5, ADW6, ADW7, ADW8, BE0, BE1, BE2, BE3,
  input CEW, CLKW, CSW0, CSW1, CSW2,
  input ADR0, ADR1, ADR2, ADR3, ADR4, ADR5, ADR6, ADR7, ADR8, ADR9, ADR10, ADR11, ADR12, ADR13,
  input CER, OCER, CLKR, CSR0, CSR1, CSR2, RST,
  output DO0, DO1, DO2, DO3, DO4, DO5, DO6, DO7, DO8, DO9, DO10, DO11, DO12, DO13, DO14, DO15,
  output DO16, DO17, DO18, DO19, DO20, DO21, DO22, DO23, DO24, DO25, DO26, DO27, DO28, DO29, DO30,
  output DO31, DO32, DO33, DO34, DO35
);
  reg [35:0] words [0:511];
  reg [35:0] latch = 0, register = 0;
  integer i;
  initial for (i = 0; i < 512; i = i + 1) words[i] = 0;

  wire [35:0] in = {
    DI35, DI34, DI33, DI32, DI31, DI30, DI29, DI28, DI27, DI26, DI25, DI24, DI23, DI22, DI21, DI20,
    DI19, DI18, DI17, DI16, DI15, DI14, DI13, DI12, DI11, DI10, DI9, DI8, DI7, DI6, DI5, DI4, DI3,
    DI2, DI1, DI0
  };
  wire [8:0] write_addr = {ADW8, ADW7, ADW6, ADW5, ADW4, ADW3, ADW2, ADW1, ADW0};
  // addresses of bits: the lower five have no meaning where words of 36 bits are read
  wire [8:0] read_addr = {ADR13, ADR12, ADR11, ADR10, ADR9, ADR8, ADR7, ADR6, ADR5};
  wire [3:0] bytes = {BE3, BE2, BE1, BE0};

  // a block is chosen by 000 unless CSDECODE says otherwise
  wire writes = CEW & ~CSW0 & ~CSW1 & ~CSW2, reads = CER & ~CSR0 & ~CSR1 & ~CSR2;

  always @(posedge CLKW)
    if (writes) for (i = 0; i < 4; i = i + 1) if (bytes[i]) words[write_addr][9*i+:9] <= in[9*i+:9];
  always @(posedge CLKR) begin
    if (reads) latch <= words[read_addr];
    if (RST) register <= 0;
    else if (OCER) register <= latch;
  end
  assign {
    DO35, DO34, DO33, DO32, DO31, DO30, DO29, DO28, DO27, DO26, DO25, DO24, DO23, DO22, DO21, DO20,
    DO19, DO18, DO17, DO16, DO15, DO14, DO13, DO12, DO11, DO10, DO9, DO8, DO7, DO6, DO5, DO4, DO3,
    DO2, DO1, DO0
  } = REGMODE == "OUTREG" ? register : latch;
endmodule

// Signed multiplier of 18 x 18 bits, all registers on CLK0, CE0 and RST0.
module MULT18X18D #(
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0",
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0",
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0"
) (
  input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
  input B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
  input CLK0, CE0, RST0, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17, P18, P19,
  output P20, P21, P22, P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
  wire [17:0] a = {
    A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0
  };
  wire [17:0] b = {
    B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0
  };
  reg signed [17:0] a_q = 0, b_q = 0;
  reg signed [35:0] product_q = 0;
  wire signed [17:0] left = REG_INPUTA_CLK == "CLK0" ? a_q : a;
  wire signed [17:0] right = REG_INPUTB_CLK == "CLK0" ? b_q : b;
  wire signed [35:0] product = left * right;

  always @(posedge CLK0)
    if (RST0) begin
      a_q <= 0;
      b_q <= 0;
      product_q <= 0;
    end else if (CE0) begin
      a_q <= a;
      b_q <= b;
      product_q <= product;
    end
  assign {
    P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17,
    P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
  } = REG_OUTPUT_CLK == "CLK0" ? product_q : product;
endmodule

// Two bits of a carry chain: of each, a table of four inputs, and with D = C = 0 the carry where the
// table gives 0. As the model of Yosys has it.
module CCU2C #(
  parameter [15:0] INIT0 = 0, INIT1 = 0, parameter INJECT1_0 = "YES", INJECT1_1 = "YES"
) (
  input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
  output S0, S1, COUT
);
  wire sum_0 = INIT0[{D0, C0, B0, A0}], sum_1 = INIT1[{D1, C1, B1, A1}];
  wire made_0 = INIT0[{2'b00, B0, A0}], made_1 = INIT1[{2'b00, B1, A1}];
  wire carry = sum_0 ? CIN : made_0;
  assign S0 = sum_0 ^ CIN, S1 = sum_1 ^ carry, COUT = sum_1 ? carry : made_1;
  initial if (INJECT1_0 != "NO" || INJECT1_1 != "NO") $fatal;
endmodule
