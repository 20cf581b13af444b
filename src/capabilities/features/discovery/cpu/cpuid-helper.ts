// A program of some 300 bytes that asks the processor: Node.js has no way to an instruction of its own. It reads eight bytes (leaf, subleaf),
// writes sixteen (EAX, EBX, ECX, EDX), until its input ends. It is written here and not compiled, so that nothing is built anywhere.

/** What its file is called. */
export const helperName = 'cpuid-x86-64'

/** As a leaf: the states that the system saves (XGETBV of register 0), in EAX. */
export const askXcr0 = 0xffff_ffff
/** As a leaf: from now on on the processor of the subleaf's number; EAX is 0 where that worked. */
export const askOtherCore = 0xffff_fffe

type Piece = readonly number[] | { readonly jump: readonly number[]; readonly to: string } | { readonly here: string }

// biome-ignore format: an instruction a line
const code: readonly Piece[] = [
  [0x48, 0x81, 0xec, 0xa0, 0x00, 0x00, 0x00], // sub rsp, 160
  { here: 'next' },
  [0x31, 0xc0], // xor eax, eax: read
  [0x31, 0xff], // xor edi, edi: standard input
  [0x48, 0x89, 0xe6], // mov rsi, rsp
  [0xba, 0x08, 0x00, 0x00, 0x00], // mov edx, 8
  [0x0f, 0x05], // syscall
  [0x83, 0xf8, 0x08], // cmp eax, 8
  { jump: [0x75], to: 'end' }, // jne
  [0x8b, 0x04, 0x24], // mov eax, [rsp]
  [0x8b, 0x4c, 0x24, 0x04], // mov ecx, [rsp+4]
  [0x83, 0xf8, 0xff], // cmp eax, -1
  { jump: [0x74], to: 'states' }, // je
  [0x83, 0xf8, 0xfe], // cmp eax, -2
  { jump: [0x74], to: 'core' }, // je
  [0x0f, 0xa2], // cpuid
  { jump: [0xeb], to: 'answer' }, // jmp
  { here: 'core' },
  [0x41, 0x89, 0xc8], // mov r8d, ecx
  [0x48, 0x8d, 0x7c, 0x24, 0x20], // lea rdi, [rsp+32]
  [0x31, 0xc0], // xor eax, eax
  [0xb9, 0x10, 0x00, 0x00, 0x00], // mov ecx, 16
  [0xf3, 0x48, 0xab], // rep stosq
  [0x4c, 0x0f, 0xab, 0x44, 0x24, 0x20], // bts [rsp+32], r8
  [0xb8, 0xcb, 0x00, 0x00, 0x00], // mov eax, 203: sched_setaffinity
  [0x31, 0xff], // xor edi, edi: this process
  [0xbe, 0x80, 0x00, 0x00, 0x00], // mov esi, 128
  [0x48, 0x8d, 0x54, 0x24, 0x20], // lea rdx, [rsp+32]
  [0x0f, 0x05], // syscall
  { jump: [0xeb], to: 'answer' }, // jmp
  { here: 'states' },
  [0x31, 0xc9], // xor ecx, ecx
  [0x0f, 0x01, 0xd0], // xgetbv
  { here: 'answer' },
  [0x89, 0x04, 0x24], // mov [rsp], eax
  [0x89, 0x5c, 0x24, 0x04], // mov [rsp+4], ebx
  [0x89, 0x4c, 0x24, 0x08], // mov [rsp+8], ecx
  [0x89, 0x54, 0x24, 0x0c], // mov [rsp+12], edx
  [0xb8, 0x01, 0x00, 0x00, 0x00], // mov eax, 1: write
  [0xbf, 0x01, 0x00, 0x00, 0x00], // mov edi, 1: standard output
  [0x48, 0x89, 0xe6], // mov rsi, rsp
  [0xba, 0x10, 0x00, 0x00, 0x00], // mov edx, 16
  [0x0f, 0x05], // syscall
  { jump: [0xe9], to: 'next' }, // jmp, far
  { here: 'end' },
  [0xb8, 0x3c, 0x00, 0x00, 0x00], // mov eax, 60: exit
  [0x31, 0xff], // xor edi, edi
  [0x0f, 0x05], // syscall
]

const farJump = 0xe9

/** The instructions with their jumps: one byte for a near place, four for a far one. */
function assembled(): Buffer {
  const places = new Map<string, number>()
  let length = 0
  for (const piece of code) {
    if ('here' in piece) places.set(piece.here, length)
    else length += 'jump' in piece ? jumpLength(piece.jump) : piece.length
  }
  const bytes: number[] = []
  for (const piece of code) {
    if ('here' in piece) continue
    if (!('jump' in piece)) {
      bytes.push(...piece)
      continue
    }
    const distance = (places.get(piece.to) ?? 0) - (bytes.length + jumpLength(piece.jump))
    bytes.push(...piece.jump)
    const field = Buffer.alloc(jumpLength(piece.jump) - piece.jump.length)
    field.writeIntLE(distance, 0, field.length)
    bytes.push(...field)
  }
  return Buffer.from(bytes)
}

function jumpLength(jump: readonly number[]): number {
  return jump.length + (jump[0] === farJump ? 4 : 1)
}

const elfHeaderBytes = 64
const programHeaderBytes = 56
const loadAddress = 0x40_0000

/** The whole program as an ELF file for x86-64. */
export function cpuidHelper(): Buffer {
  const instructions = assembled()
  const start = elfHeaderBytes + programHeaderBytes
  const file = Buffer.alloc(start + instructions.length)
  file.write('\x7fELF', 0, 'latin1')
  // 64 bits, little end first, version 1.
  file.set([2, 1, 1], 4)
  file.writeUInt16LE(2, 16) // a program
  file.writeUInt16LE(62, 18) // of x86-64
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(BigInt(loadAddress + start), 24)
  file.writeBigUInt64LE(BigInt(elfHeaderBytes), 32)
  file.writeUInt16LE(elfHeaderBytes, 52)
  file.writeUInt16LE(programHeaderBytes, 54)
  file.writeUInt16LE(1, 56)
  // One piece of memory, to be read and run.
  file.writeUInt32LE(1, elfHeaderBytes)
  file.writeUInt32LE(5, elfHeaderBytes + 4)
  file.writeBigUInt64LE(BigInt(loadAddress), elfHeaderBytes + 16)
  file.writeBigUInt64LE(BigInt(loadAddress), elfHeaderBytes + 24)
  file.writeBigUInt64LE(BigInt(file.length), elfHeaderBytes + 32)
  file.writeBigUInt64LE(BigInt(file.length), elfHeaderBytes + 40)
  file.writeBigUInt64LE(0x1000n, elfHeaderBytes + 48)
  instructions.copy(file, start)
  return file
}
