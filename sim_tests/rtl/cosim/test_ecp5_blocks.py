# amaranth: UnusedElaboratable=no
"""Blocks of an ECP5 against the portable bodies that they stand for, in Icarus Verilog."""

import subprocess
from pathlib import Path

import pytest
from amaranth import Module, Mux, Signal, Value, signed
from amaranth.back import rtlil, verilog
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import NumberConfig
from hwsim.rtl.blocks.cleared_sum import cleared_sum
from hwsim.rtl.blocks.multiplier import act_shape, code_shape, product_shape
from hwsim.rtl.blocks.registered_memory import RegisteredMemory
from hwsim.rtl.blocks.registered_product import registered_product
from hwsim.rtl.cosim import toolchain

MODELS = Path(__file__).with_name("ecp5_models.v")
SEED = 7

#: Two components in lockstep. Outputs count once every register has been loaded.
BENCH = """
module bench;
  reg clk = 0, rst = 0;
  always #5 clk = ~clk;
  {declarations}
  portable left (.clk(clk), .rst(rst), {inputs}, .out(expected));
  blocks right (.clk(clk), .rst(rst), {inputs}, .out(got));
  integer cycle, moved = 0;
  reg [{top}:0] last = 0;
  initial begin
    $display("seed {seed}");
    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
      @(negedge clk);
      {stimuli}
      #1;
      if (cycle > {settled} && got !== expected) begin
        $display("cycle %0d: %h is not %h", cycle, got, expected);
        $fatal;
      end
      if (got != last) moved = moved + 1;
      last = got;
    end
    if (moved < {cycles} / 10) $fatal;
    $display("equal");
    $finish;
  end
endmodule
"""


class RegisteredProduct(wiring.Component):
    """A registered product between ports."""

    def __init__(self, numbers, stages):
        self.numbers, self.stages = numbers, stages
        act, code = act_shape(numbers), code_shape(numbers)
        out = product_shape(numbers)
        super().__init__({"enable": In(1), "act": In(act), "code": In(code), "out": Out(out)})

    def elaborate(self, platform):
        m = Module()
        late = registered_product(
            m, self.act, self.code, self.numbers,
            stages=self.stages, enable=self.enable, name="late", platform=platform,
        )  # fmt: skip
        m.d.comb += self.out.eq(late)
        m.d.sync += Signal().eq(0)  # so that both forms have a reset
        return m


class RegisteredWord(wiring.Component):
    """A registered memory between ports."""

    def __init__(self, lanes, depth, *, transparent=False):
        self.lanes, self.depth, self.transparent = lanes, depth, transparent
        addr = range(depth)
        super().__init__(
            {
                "enable": In(1),
                "clear": In(1),
                "read_en": In(1),
                "read_addr": In(addr),
                "write_en": In(1),
                "write_addr": In(addr),
                "word": In(lanes),
                "out": Out(lanes.size),
            }
        )

    def elaborate(self, platform):
        m = Module()
        memory = RegisteredMemory(
            m, "words", self.lanes, self.depth, transparent=self.transparent, platform=platform
        )
        write, read = memory.write, memory.read
        m.d.comb += [read.en.eq(self.read_en), read.addr.eq(self.read_addr)]
        m.d.comb += [write.en.eq(self.write_en), write.addr.eq(self.write_addr)]
        m.d.comb += write.data.eq(self.word)
        kept, cleared = memory.registered(m, enable=self.enable, clear=self.clear, name="kept")
        m.d.comb += self.out.eq(kept if cleared is None else Mux(cleared, 0, kept.as_value()))
        m.d.sync += Signal().eq(0)  # so that both forms have a reset
        return m


class ClearedSum(wiring.Component):
    """A sum of which one term may be left out, between ports."""

    def __init__(self, width):
        self.width = width
        super().__init__({"word": In(width), "term": In(width), "clear": In(1), "out": Out(width)})

    def elaborate(self, platform):
        m = Module()
        total = cleared_sum(
            m, self.word, self.term, self.clear, name="total", platform=platform
        )  # fmt: skip
        m.d.comb += self.out.eq(total)
        m.d.sync += Signal().eq(0)  # so that both forms have a clock
        return m


def lockstep(make, stimuli, folder, *, cycles, settled):
    """Run the portable form and the one of an ECP5 with random inputs; both give the same."""
    inputs, declarations = [], []
    component = make()
    for path, member, _ in component.signature.flatten(component):
        (name,), width = path, len(Value.cast(Signal(member.shape)))
        if member.flow is wiring.In:
            inputs.append(f".{name}({name})")
            declarations.append(f"reg [{width - 1}:0] {name} = 0;")
        else:
            top = width - 1
            declarations.append(f"wire [{top}:0] expected, got;")
    bench = BENCH.format(
        declarations="\n  ".join(declarations), inputs=", ".join(inputs), stimuli=stimuli,
        cycles=cycles, settled=settled, top=top, seed=SEED,
    )  # fmt: skip
    with toolchain.active("icarus"):
        portable, blocks = (
            verilog.convert(make(), name=name, platform=platform, emit_src=False)
            for name, platform in (("portable", None), ("blocks", "ecp5"))
        )
        (folder / "bench.v").write_text("\n".join([portable, blocks, bench]))
        build = ["iverilog", "-g2012", "-s", "bench", "-o", "bench", str(MODELS), "bench.v"]
        subprocess.run(build, cwd=folder, check=True)
        run = subprocess.run(
            ["vvp", "bench"], cwd=folder, capture_output=True, text=True, check=False
        )
    print(run.stdout)
    assert run.returncode == 0
    assert "equal" in run.stdout
    return blocks


@pytest.mark.cosim
@pytest.mark.parametrize(("width", "stages"), [(8, 1), (8, 2), (3, 2), (16, 1)])
def test_a_multiplier_block_is_the_product_and_its_registers(need, tmp_path, width, stages):
    need("icarus")
    numbers = NumberConfig(act_width=width, weight_width=width, psum_width=32)
    stimuli = "enable = $urandom % 4 != 0; act = $urandom; code = $urandom;"
    text = lockstep(
        lambda: RegisteredProduct(numbers, stages), stimuli, tmp_path, cycles=4000, settled=30
    )
    assert text.count("MULT18X18D") == 1


@pytest.mark.cosim
@pytest.mark.parametrize(
    ("lanes", "width", "depth", "blocks"), [(2, 16, 200, 1), (3, 24, 512, 2), (1, 5, 129, 1)]
)
def test_a_block_ram_is_the_memory_and_its_register(need, tmp_path, lanes, width, depth, blocks):
    need("icarus")
    layout = data.ArrayLayout(signed(width), lanes)
    # few addresses, so that what was written is read; never the word that is being written
    addr = f"($urandom % 2 != 0) ? $urandom % {depth} : {depth - 4} + $urandom % 4"
    stimuli = f"""
      enable = $urandom % 4 != 0; clear = $urandom % 8 == 0;
      read_en = $urandom % 4 != 0; read_addr = {addr};
      write_en = $urandom % 2; write_addr = {addr};
      if (write_addr == read_addr) write_en = 0;
      word = {{$urandom, $urandom, $urandom}};"""
    text = lockstep(
        lambda: RegisteredWord(layout, depth), stimuli, tmp_path, cycles=8000, settled=30
    )
    assert text.count("PDPW16KD") == blocks


@pytest.mark.cosim
@pytest.mark.parametrize("width", [1, 2, 7, 32])
def test_a_carry_chain_is_the_sum_of_which_a_term_is_left_out(need, tmp_path, width):
    need("icarus")
    # long runs of carries, too
    stimuli = """
      clear = $urandom; word = {$urandom, $urandom}; term = {$urandom, $urandom};
      if ($urandom % 2) term = ~word + $urandom % 3;"""
    text = lockstep(lambda: ClearedSum(width), stimuli, tmp_path, cycles=4000, settled=0)
    assert text.count("CCU2C #") == -(-width // 2)


@pytest.mark.parametrize(
    ("depth", "transparent", "platform"),
    [(128, False, "ecp5"), (513, False, "ecp5"), (256, True, "ecp5"), (256, False, None)],
)
def test_no_block_where_none_fits(depth, transparent, platform):
    layout = data.ArrayLayout(signed(8), 2)
    word = RegisteredWord(layout, depth, transparent=transparent)
    text = rtlil.convert(word, platform=platform, emit_src=False)
    assert "PDPW16KD" not in text
    assert "memory width 16" in text
