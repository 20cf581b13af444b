// How the processor is asked, by the best way that is open here.

import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '#kube/log.ts'
import type { HostTree } from '#machines/host-tree.ts'
import { bitRows } from './cpuid-bits.ts'
import { askOtherCore, askXcr0, cpuidHelper, helperName } from './cpuid-helper.ts'
import { type CpuidSource, noRegisters, type Registers } from './cpuid-registers.ts'
import { namesInCpuinfo, namesOfArm64 } from './kernel-flags.ts'

/** Every leaf and subleaf that is looked at. */
// biome-ignore format: a table
export const askedLeaves: readonly (readonly [leaf: number, subleaf: number])[] = [
  [0, 0], [1, 0], [4, 0], [7, 0], [7, 1], [7, 2], [0xa, 0], [0xb, 0], [0xd, 1], [0xf, 0], [0xf, 1], [0x10, 0], [0x12, 0],
  ...Array.from({ length: 8 }, (_, at) => [0x12, at + 2] as const),
  [0x16, 0], [0x19, 0], [0x21, 0], [0x24, 0], [0x4000_0000, 0], [0x4000_000c, 0],
  ...[0x0, 0x1, 0x7, 0x8, 0xa, 0x1a, 0x1b, 0x1e, 0x1f, 0x21].map(low => [0x8000_0000 + low, 0] as const),
]

const helperLimitMs = 5_000
/** Flags that have a label's name. */
export const knownFlags: ReadonlySet<string> = new Set([
  ...bitRows.flatMap(({ bits }) => bits.map(([, flag]) => flag)),
  'FMA3',
  'AVX',
])

/** Where the kernel lists the processors of each kind, on a machine that has two. */
export const coreKinds = ['cpu_core', 'cpu_atom']

/** Asks the processor of this machine. @throws Error where no way is open */
export function readCpuid(tree: HostTree, architecture: string, tell: (what: string, about: object) => void): CpuidSource {
  const source = architecture === 'x64' ? ofX64(tree, tell) : architecture === 'arm64' ? namesOfArm64(tree) : undefined
  if (source === undefined) throw new Error(`flags of a processor of ${architecture} cannot be read here`)
  return source
}

function ofX64(tree: HostTree, tell: (what: string, about: object) => void): CpuidSource | undefined {
  const cores = otherCores(tree)
  try {
    return byHelper(cores)
  } catch (error) {
    tell('the processor cannot be asked by a program of ours', { why: messageOf(error) })
  }
  try {
    return byDevice(tree)
  } catch (error) {
    tell('the processor cannot be asked by its device', { why: messageOf(error) })
  }
  return namesInCpuinfo(tree, knownFlags)
}

/** The first processor of each kind, where there are two. */
function otherCores(tree: HostTree): readonly number[] {
  const first = coreKinds.map(kind => /^\d+/.exec(tree.text(tree.host(`sys/devices/${kind}/cpus`)) ?? '')?.[0])
  return first.every(core => core !== undefined) ? first.map(Number) : []
}

/** Where the image has the program, beside the code that runs. */
const installedHelper = join(import.meta.dirname, helperName)

function byHelper(cores: readonly number[]): CpuidSource {
  if (existsSync(installedHelper)) return askedBy(installedHelper, cores)
  const directory = mkdtempSync(join(tmpdir(), 'ballast-cpuid-'))
  try {
    const path = join(directory, helperName)
    writeFileSync(path, cpuidHelper(), { mode: 0o700 })
    return askedBy(path, cores)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function askedBy(path: string, cores: readonly number[]): CpuidSource {
  const kinds = cores.length === 0 ? [undefined] : cores
  const questions = kinds.flatMap(core => [
    ...(core === undefined ? [] : [[askOtherCore, core] as const]),
    ...askedLeaves,
    // What an old processor cannot do comes last: it ends the program.
    [askXcr0, 0] as const,
  ])
  const input = Buffer.alloc(questions.length * 8)
  for (const [at, [leaf, subleaf]] of questions.entries()) {
    input.writeUInt32LE(leaf, at * 8)
    input.writeUInt32LE(subleaf, at * 8 + 4)
  }
  const { stdout, error } = spawnSync(path, [], { input, timeout: helperLimitMs, maxBuffer: 64 * 1024, env: {} })
  if (error !== undefined) throw error
  if (stdout.length < askedLeaves.length * 16) throw new Error('it ended before it had answered')
  const all = answersIn(stdout, questions, kinds.length)
  const [first, ...others] = all
  if (first === undefined) throw new Error('no kind of core could be asked')
  return { ...first, ...(others.length === 0 ? {} : { otherCores: others }) }
}

type RegisterSource = Extract<CpuidSource, { readonly kind: 'registers' }>

function answersIn(output: Buffer, questions: readonly (readonly [number, number])[], kinds: number): readonly RegisterSource[] {
  const each = questions.length / kinds
  return Array.from({ length: kinds }, (_, kind) => {
    const answers = new Map<string, Registers>()
    let isThere = true
    for (const [at, [leaf, subleaf]] of questions.slice(kind * each, (kind + 1) * each).entries()) {
      const start = (kind * each + at) * 16
      if (start + 16 > output.length) break
      const registers = registersAt(output, start)
      if (leaf === askOtherCore) isThere = registers.eax === 0
      else answers.set(`${leaf}.${subleaf}`, registers)
    }
    return isThere ? [ofAnswers('helper', answers)] : []
  }).flat()
}

/** Registers that were noted somewhere, by `leaf.subleaf` in decimal numbers; XCR0 by `askXcr0`. */
export function ofAnswers(way: string, answers: ReadonlyMap<string, Registers>): RegisterSource {
  return {
    kind: 'registers',
    way,
    leaf: (leaf, subleaf = 0) => answers.get(`${leaf}.${subleaf}`) ?? noRegisters,
    xcr0: () => answers.get(`${askXcr0}.0`)?.eax ?? 0,
  }
}

/** By `/dev/cpu/0/cpuid`, which needs root and a module. The saved states are not to be had so: they are taken from the flags of the kernel. */
function byDevice(tree: HostTree): CpuidSource {
  const device = openSync(tree.own('dev/cpu/0/cpuid'), 'r')
  const answers = new Map<string, Registers>()
  try {
    for (const [leaf, subleaf] of askedLeaves) {
      const bytes = Buffer.alloc(16)
      readSync(device, bytes, 0, 16, BigInt(leaf) + (BigInt(subleaf) << 32n))
      answers.set(`${leaf}.${subleaf}`, registersAt(bytes, 0))
    }
  } finally {
    closeSync(device)
  }
  const flags = namesInCpuinfo(tree, knownFlags)?.flags
  const xcr0 = flags?.has('AVX512F') === true ? 0xe7 : flags?.has('AVX') === true ? 0x7 : 0x3
  answers.set(`${askXcr0}.0`, { ...noRegisters, eax: xcr0 })
  return ofAnswers('device', answers)
}

function registersAt(bytes: Buffer, at: number): Registers {
  return {
    eax: bytes.readUInt32LE(at),
    ebx: bytes.readUInt32LE(at + 4),
    ecx: bytes.readUInt32LE(at + 8),
    edx: bytes.readUInt32LE(at + 12),
  }
}
