// What the library of node-feature-discovery and what ours read in the registers of a processor.

import { join } from 'node:path'
import { enclaveBytes, readProcessor } from '../../../src/capabilities/features/discovery/cpu/cpuid-flags.ts'
import { askXcr0 } from '../../../src/capabilities/features/discovery/cpu/cpuid-helper.ts'
import { noRegisters, type Registers } from '../../../src/capabilities/features/discovery/cpu/cpuid-registers.ts'
import { ofAnswers } from '../../../src/capabilities/features/discovery/cpu/read-cpuid.ts'
import { builtProgram } from '../clients/build.ts'
import { askedLines } from './oracle.ts'
import type { ProcessorAnswer, ProcessorQuestion } from './processor-questions.ts'

/** The module that answers, as recordings name it. */
export const library = 'github.com/klauspost/cpuid/v2 v2.4.0'

/** @throws PartUnavailable where it cannot be built */
export async function libraryAnswers(questions: readonly ProcessorQuestion[]): Promise<readonly ProcessorAnswer[]> {
  const program = await builtProgram(join(import.meta.dirname, 'cpuid-oracle'), 'cpuid-oracle')
  return (await askedLines(program, questions)).map(line => JSON.parse(line))
}

/** Ours, in the words of the library. */
export function ourProcessor(question: ProcessorQuestion): ProcessorAnswer {
  const source = registersOf(question)
  const { flags, vendor, family, model, avx10Version } = readProcessor(source)
  const enclaves = enclaveBytes(source, flags)
  const names = [...flags].filter(flag => !flag.startsWith('X86_64_V')).sort()
  const level = flags.size - names.length
  return {
    flags: names.join(' '),
    vendor,
    family,
    model,
    ...(avx10Version === 0 ? {} : { avx10: avx10Version }),
    ...(enclaves === 0 ? {} : { enclaves }),
    ...(level === 0 ? {} : { level }),
  }
}

/** A processor that answers with the registers of the question. */
export function registersOf({ leaves, xcr0 }: ProcessorQuestion) {
  const answers = new Map<string, Registers>(
    Object.entries(leaves).map(([key, [eax, ebx, ecx, edx]]) => [key, { eax, ebx, ecx, edx }]),
  )
  answers.set(`${askXcr0}.0`, { ...noRegisters, eax: xcr0 })
  return ofAnswers('recorded', answers)
}

/** An answer whose flags stand in the order of their names, and without the hypervisor's text, which is not compared by chance. */
export function comparable({ hypervisor: _text, flags, ...rest }: ProcessorAnswer): ProcessorAnswer {
  return { ...rest, flags: flags.split(' ').filter(Boolean).sort().join(' ') }
}
