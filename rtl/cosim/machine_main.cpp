// Host of a verilated machine bench: sets registers, waits for the end, keeps memory and registers.
//
//   bench FOLDER
//
// FOLDER/memory.bin is the memory at the begin; FOLDER/plan has one command per line:
//   set NAME VALUE          an input of the bench: latency, interval, ...
//   write OFFSET VALUE      a register
//   wait LIMIT              until irq, at most LIMIT cycles
//   idle CYCLES
//   reset CYCLES
//   read OFFSET             a register, to FOLDER/results: "read OFFSET VALUE"
//   run PROGRAM LENGTH R0 R1 R2 R3 [blind]
//                           by the driver, to FOLDER/results: "run CODE"; descriptors, and bases of
//                           the regions; blind: it does not see the descriptors
//   record FIRST END        a traced build: FOLDER/waves.vcd has the cycles from FIRST to before END,
//                           counted from that in which the next write to the control register acts
//   ended                   by the driver, to FOLDER/results: "ended CODE INDEX COUNTER ..."
//   dump FIRST BYTES NAME   part of memory to FOLDER/NAME
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "Vbench.h"
#include "Vbench___024root.h"
#include "Vbench__Syms.h"
#include "verilated.h"

static uint64_t now = 0;

// the driver that users get, on the pins of the bench
static uint32_t driver_read(uint32_t offset);
static void driver_write(uint32_t offset, uint32_t value);
#define HWSIM_READ(machine, offset) driver_read(offset)
#define HWSIM_WRITE(machine, offset, value) driver_write(offset, value)
#include "machine.c"

#if VM_TRACE
#include "verilated_vcd_c.h"
static VerilatedVcdC *waves = nullptr;
static uint64_t record_first = 0, record_end = 0;
static bool starts = false;
#define RECORD(half) \
    if (!starts && now >= record_first && now < record_end) waves->dump(10 * now + (half))
#else
#define RECORD(half)
#endif

#define MEMORY(top) (top)->rootp->vlSymsp->TOP__bench__memory.data

static Vbench *top;

static void tick() {
    top->clk = 1;
    top->eval();
    RECORD(0);
    top->clk = 0;
    top->eval();
    RECORD(5);
    ++now;
}

// A write acts in this cycle.
static void acts(uint32_t offset) {
#if VM_TRACE
    if (!starts || offset != HWSIM_REG_CONTROL) return;
    record_first += now;
    record_end += now;
    starts = false;
#endif
}

// Cycles that the host leaves an answer: 0 to 3, drawn anew each time.
static unsigned leave() {
    static uint32_t state = 1;
    state = state * 1664525 + 1013904223;
    return state >> 30;
}

static bool write(uint32_t offset, uint32_t value) {
    top->s_axi_awaddr = offset;
    top->s_axi_awvalid = 1;
    top->s_axi_wdata = value;
    top->s_axi_wstrb = 15;
    top->s_axi_wvalid = 1;
    bool address = false, data = false;
    unsigned left = leave();
    for (int cycle = 0; cycle < 64; ++cycle) {
        top->s_axi_bready = left == 0;
        top->eval();
        bool a = top->s_axi_awvalid && top->s_axi_awready;
        bool w = top->s_axi_wvalid && top->s_axi_wready;
        bool b = top->s_axi_bvalid;
        bool okay = top->s_axi_bresp == 0;
        bool was_whole = address && data;
        tick();
        address |= a;
        data |= w;
        if (address && data && !was_whole) acts(offset);
        if (address) top->s_axi_awvalid = 0;
        if (data) top->s_axi_wvalid = 0;
        if (b && left-- == 0) {
            top->s_axi_bready = 0;
            top->eval();
            return okay;
        }
    }
    return false;
}

static bool read(uint32_t offset, uint32_t &value) {
    top->s_axi_araddr = offset;
    top->s_axi_arvalid = 1;
    unsigned left = leave();
    for (int cycle = 0; cycle < 64; ++cycle) {
        top->s_axi_rready = left == 0;
        top->eval();
        bool a = top->s_axi_arvalid && top->s_axi_arready;
        bool r = top->s_axi_rvalid;
        bool okay = top->s_axi_rresp == 0;
        value = top->s_axi_rdata;
        tick();
        if (a) top->s_axi_arvalid = 0;
        if (r && left-- == 0) {
            top->s_axi_rready = 0;
            top->eval();
            return okay;
        }
    }
    return false;
}

static bool driver_works = true;
// rules of AXI that were broken before a reset
static uint32_t broken = 0;

static uint32_t driver_read(uint32_t offset) {
    uint32_t value = 0;
    driver_works &= read(offset, value);
    return value;
}

static void driver_write(uint32_t offset, uint32_t value) { driver_works &= write(offset, value); }

static bool set(const std::string &name, uint32_t value) {
    if (name == "latency") top->latency = value;
    else if (name == "interval") top->interval = value;
    else if (name == "overhead") top->overhead = value;
    else if (name == "outstanding") top->outstanding = value;
    else if (name == "faulty") top->faulty = value;
    else if (name == "fault_first") top->fault_first = value;
    else if (name == "fault_last") top->fault_last = value;
    else return false;
    top->eval();
    return true;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: bench FOLDER" << std::endl;
        return 2;
    }
    const std::string folder = std::string(argv[1]) + "/";
    Verilated::traceEverOn(true);
    top = new Vbench;
    top->clk = 0;
    top->rst = 1;
    top->eval();
    for (int cycle = 0; cycle < 4; ++cycle) tick();
    top->rst = 0;
    top->eval();

    auto &memory = MEMORY(top);
    std::ifstream image(folder + "memory.bin", std::ios::binary);
    image.read(reinterpret_cast<char *>(&memory[0]), sizeof(memory));

    std::ifstream plan(folder + "plan");
    std::ofstream results(folder + "results");
    std::string line;
    while (std::getline(plan, line)) {
        std::istringstream words(line);
        std::string command;
        words >> command;
        bool fine = true;
        if (command == "set") {
            std::string name;
            uint32_t value;
            words >> name >> value;
            fine = set(name, value);
        } else if (command == "write") {
            uint32_t offset, value;
            words >> offset >> value;
            fine = write(offset, value);
        } else if (command == "read") {
            uint32_t offset, value = 0;
            words >> offset;
            fine = read(offset, value);
            results << "read " << offset << " " << value << "\n";
        } else if (command == "wait") {
            uint64_t limit, cycle = 0;
            words >> limit;
            while (!top->irq && cycle < limit) {
                tick();
                ++cycle;
            }
            results << "wait " << cycle << " " << int(top->irq) << "\n";
        } else if (command == "run") {
            hwsim_program program = {};
            words >> program.descriptors >> program.length;
            for (auto &region : program.regions) words >> region;
            std::string sight;
            words >> sight;
            if (sight != "blind")
                program.image = reinterpret_cast<const uint32_t *>(
                    reinterpret_cast<char *>(&memory[0]) + program.descriptors);
            hwsim_machine machine = {};
            fine = hwsim_check(&machine) == 0;
            int code = hwsim_run(&machine, &program);
            results << "run " << code << "\n";
            fine &= code != -1 && driver_works;
        } else if (command == "ended") {
            hwsim_machine machine = {};
            hwsim_counters counters;
            int code = hwsim_wait(&machine, 1);
            hwsim_read_counters(&machine, &counters);
            results << "ended " << code << " " << hwsim_error_index(&machine);
            const uint64_t *values = reinterpret_cast<const uint64_t *>(&counters);
            for (size_t index = 0; index < sizeof(counters) / sizeof(uint64_t); ++index)
                results << " " << values[index];
            results << "\n";
            hwsim_clear(&machine);
            fine = driver_works;
        } else if (command == "record") {
#if VM_TRACE
            words >> record_first >> record_end;
            starts = true;
            waves = new VerilatedVcdC;
            top->trace(waves, 99);
            waves->open((folder + "waves.vcd").c_str());
#else
            fine = false;
#endif
        } else if (command == "idle") {
            uint64_t cycles;
            words >> cycles;
            for (uint64_t cycle = 0; cycle < cycles; ++cycle) tick();
        } else if (command == "reset") {
            uint64_t cycles;
            words >> cycles;
            broken |= top->broken;
            top->rst = 1;
            for (uint64_t cycle = 0; cycle < cycles; ++cycle) tick();
            top->rst = 0;
            top->eval();
        } else if (command == "dump") {
            uint64_t first, bytes;
            std::string name;
            words >> first >> bytes >> name;
            std::ofstream file(folder + name, std::ios::binary);
            file.write(reinterpret_cast<char *>(&memory[0]) + first, bytes);
        } else {
            fine = false;
        }
        if (!fine) {
            std::cerr << "failed: " << line << std::endl;
            return 1;
        }
    }
    broken |= top->broken;
    if (broken) {
        std::cerr << "rules of AXI are broken: bits " << broken << std::endl;
        return 1;
    }
    results << "end " << now << "\n";
#if VM_TRACE
    if (waves) waves->close();
#endif
    top->final();
    delete top;
    return 0;
}
