"""CRC-16 as Modbus has it, for frames on the line and records on flash. Pure."""

# Modbus over serial line V1.02, 6.2.2, four bits at a time: polynomial A001, reflected. Up to 4095 bytes it finds any three
# wrong bits (Koopman, "Best CRC Polynomials", 0x8005: HD 4 up to 32751 bits).
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(buf, first, end, crc=0xFFFF):
    """The checksum of buf[first:end], 0..65535; it goes low byte first. crc: that of the bytes before. Allocates nothing."""
    for i in range(first, end):
        crc ^= buf[i]
        crc = (crc >> 4) ^ _CRC[crc & 15]
        crc = (crc >> 4) ^ _CRC[crc & 15]
    return crc
