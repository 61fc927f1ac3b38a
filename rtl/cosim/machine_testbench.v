// A network on a machine, from memory: values and counters against those that are expected.
// Plain Verilog: README.md beside this file has the command. +waves writes waves.vcd.
`timescale 1ns / 1ps

module testbench;
@PARAMETERS@

  reg clk = 0, rst = 1;
  wire irq;
  reg [@HOST_ADDR_TOP@:0] host_addr = 0;
  reg [31:0] host_data = 0;
  reg aw_valid = 0, w_valid = 0, ar_valid = 0;
  wire aw_ready, w_ready, ar_ready, b_valid, r_valid;
  wire [1:0] b_resp, r_resp;
  wire [31:0] r_data;
@WIRES@

  @NAME@ machine(
    .clk(clk), .rst(rst), .irq(irq),
    .s_axi_awaddr(host_addr), .s_axi_awvalid(aw_valid), .s_axi_awready(aw_ready), .s_axi_awprot(3'd0),
    .s_axi_wdata(host_data), .s_axi_wstrb(4'hf), .s_axi_wvalid(w_valid), .s_axi_wready(w_ready),
    .s_axi_bvalid(b_valid), .s_axi_bready(1'b1), .s_axi_bresp(b_resp),
    .s_axi_araddr(host_addr), .s_axi_arvalid(ar_valid), .s_axi_arready(ar_ready), .s_axi_arprot(3'd0),
    .s_axi_rvalid(r_valid), .s_axi_rready(1'b1), .s_axi_rdata(r_data), .s_axi_rresp(r_resp),
@MACHINE_PORTS@
  );
  @NAME@_memory outside(
    .clk(clk), .rst(rst),
    .latency(LATENCY), .interval(INTERVAL), .overhead(OVERHEAD), .outstanding(OUTSTANDING),
@MEMORY_PORTS@
  );

  reg [BUS_BITS-1:0] expected [0:OUTPUT_BEATS-1];
  reg [BUS_BITS-1:0] counts [0:OUTPUT_BEATS-1];
  integer waited = 0, index, errors = 0;
  reg [BUS_BITS-1:0] found;
  reg [31:0] low, high;

  always #5 clk = ~clk;

  // a handshake is seen at the rising edge, before registers change
  task write_register(input integer offset, input [31:0] value);
    reg address, word, response;
    begin
      @(negedge clk);
      host_addr = offset;
      host_data = value;
      aw_valid = 1;
      w_valid = 1;
      address = 0;
      word = 0;
      response = 0;
      while (!response) begin
        @(posedge clk);
        address = address | (aw_valid & aw_ready);
        word = word | (w_valid & w_ready);
        response = b_valid;
        @(negedge clk);
        aw_valid = ~address;
        w_valid = ~word;
      end
    end
  endtask

  task read_register(input integer offset, output [31:0] value);
    reg address, response;
    begin
      @(negedge clk);
      host_addr = offset;
      ar_valid = 1;
      address = 0;
      response = 0;
      while (!response) begin
        @(posedge clk);
        address = address | (ar_valid & ar_ready);
        response = r_valid;
        value = r_data;
        @(negedge clk);
        ar_valid = ~address;
      end
    end
  endtask

  task check_counter(input integer offset, input [63:0] expects, input [8*24-1:0] name);
    begin
      read_register(offset, low);
      read_register(offset + 4, high);
      if ({high, low} !== expects) begin
        errors = errors + 1;
        $display("counter %0s: %0d, expected %0d", name, {high, low}, expects);
      end
    end
  endtask

  initial begin
    if ($test$plusargs("waves")) begin
      $dumpfile("waves.vcd");
      $dumpvars(0, testbench);
    end
    $readmemh("memory.hex", outside.@STORAGE@);
    $readmemh("expected.hex", expected);
    $readmemh("counts.hex", counts);
    repeat (4) @(negedge clk);
    rst = 0;

    read_register(@REG_DIGEST@, low);
    if (low !== DIGEST) begin
      $display("FAIL: the machine is another design, %h in place of %h", low, DIGEST);
      $fatal;
    end
@START@

    while (!irq && waited < LIMIT) begin
      @(posedge clk);
      waited = waited + 1;
    end
    read_register(@REG_STATUS@, low);
    if (low[2]) begin
      read_register(@REG_ERROR@, low);
      read_register(@REG_ERROR_INDEX@, high);
      $display("FAIL: error %0d at descriptor %0d", low, high);
      $fatal;
    end
    if (!low[1]) begin
      $display("FAIL: no end after %0d cycles", waited);
      $fatal;
    end
    for (index = 0; index < OUTPUT_BEATS; index = index + 1) begin
      found = outside.@STORAGE@[OUTPUT / (BUS_BITS / 8) + index];
      if (((found ^ expected[index]) & counts[index]) !== 0) begin
        errors = errors + 1;
        if (errors < 10)
          $display("beat %0d of the output: %h, expected %h, of which %h count",
                   index, found, expected[index], counts[index]);
      end
    end
@COUNTERS@
    if (errors == 0)
      $display("PASS: @WHAT@");
    else begin
      $display("FAIL: %0d beats and counters differ", errors);
      $fatal;
    end
    $finish;
  end
endmodule
