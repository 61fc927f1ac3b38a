/* Driver of a machine: start a program, wait for its end, read its counters. */
#include HWSIM_HEADER

int hwsim_check(const hwsim_machine *machine) {
    if (HWSIM_READ(machine, HWSIM_REG_ID) != HWSIM_MAGIC) return -1;
    if (HWSIM_READ(machine, HWSIM_REG_VERSION) != HWSIM_VERSION) return -1;
    return HWSIM_READ(machine, HWSIM_REG_DIGEST) == HWSIM_DIGEST ? 0 : -1;
}

static uint32_t field(const uint32_t *descriptor, int word, int bit, int bits) {
    return descriptor[word] >> bit & (bits == 32 ? 0xffffffffu : (1u << bits) - 1);
}

static int beyond_the_bus(uint64_t address) {
    return HWSIM_ADDRESS_BITS < 64 && address >> HWSIM_ADDRESS_BITS % 64;
}

static int overlap(const hwsim_program *program, uint32_t one, uint32_t other) {
    uint64_t first = program->regions[one], second = program->regions[other];
    uint64_t size = program->sizes[one], rest = program->sizes[other];
    if (!size || !rest) return 0;
    return first < second ? second - first < size : first - second < rest;
}

int hwsim_run(const hwsim_machine *machine, const hwsim_program *program) {
    if (HWSIM_READ(machine, HWSIM_REG_STATUS) & HWSIM_STATUS_BUSY) return -1;
    if (program->image &&
        (!field(program->image, HWSIM_FIELD_CHECK) ||
         field(program->image, HWSIM_FIELD_COMMAND_0) != HWSIM_READ(machine, HWSIM_REG_DIGEST)))
        return -2;
    if (beyond_the_bus(program->descriptors)) return -3;
    for (uint32_t region = 0; region < HWSIM_REGIONS; ++region) {
        uint64_t first = program->regions[region], size = program->sizes[region];
        if (beyond_the_bus(first) || beyond_the_bus(first + size - (size > 0))) return -3;
        for (uint32_t other = 0; other < region; ++other)
            if (overlap(program, region, other)) return -4;
    }
    HWSIM_WRITE(machine, HWSIM_REG_PROGRAM_LOW, (uint32_t)program->descriptors);
    HWSIM_WRITE(machine, HWSIM_REG_PROGRAM_HIGH, (uint32_t)(program->descriptors >> 32));
    HWSIM_WRITE(machine, HWSIM_REG_PROGRAM_LENGTH, program->length);
    for (uint32_t region = 0; region < HWSIM_REGIONS; ++region) {
        uint32_t offset = HWSIM_REG_REGION0_LOW + 8 * region;
        HWSIM_WRITE(machine, offset, (uint32_t)program->regions[region]);
        HWSIM_WRITE(machine, offset + 4, (uint32_t)(program->regions[region] >> 32));
    }
    HWSIM_WRITE(machine, HWSIM_REG_INTERRUPT_ENABLE,
                HWSIM_INTERRUPT_ENABLE_DONE | HWSIM_INTERRUPT_ENABLE_ERROR);
    HWSIM_WRITE(machine, HWSIM_REG_CONTROL, HWSIM_CONTROL_START);
    return 0;
}

int hwsim_wait(const hwsim_machine *machine, uint32_t polls) {
    for (uint32_t poll = 0; poll < polls; ++poll) {
        uint32_t status = HWSIM_READ(machine, HWSIM_REG_STATUS);
        if (status & HWSIM_STATUS_ERROR) return (int)HWSIM_READ(machine, HWSIM_REG_ERROR);
        if (status & HWSIM_STATUS_DONE) return 0;
    }
    return -1;
}

void hwsim_stop(const hwsim_machine *machine) {
    HWSIM_WRITE(machine, HWSIM_REG_CONTROL, HWSIM_CONTROL_STOP);
}

void hwsim_clear(const hwsim_machine *machine) {
    HWSIM_WRITE(machine, HWSIM_REG_INTERRUPT_CLEAR, HWSIM_INTERRUPT_CLEAR_PENDING);
}

uint32_t hwsim_error_index(const hwsim_machine *machine) {
    return HWSIM_READ(machine, HWSIM_REG_ERROR_INDEX);
}

void hwsim_read_counters(const hwsim_machine *machine, hwsim_counters *counters) {
    uint64_t *values = (uint64_t *)counters;
    uint32_t offset = HWSIM_REG_CYCLES_LOW;
    for (uint32_t index = 0; index < sizeof(*counters) / sizeof(uint64_t); ++index, offset += 8) {
        /* the low half first: reading it keeps the high half that belongs to it */
        uint64_t low = HWSIM_READ(machine, offset);
        values[index] = low | (uint64_t)HWSIM_READ(machine, offset + 4) << 32;
    }
}
