// Intel's plugins and ours, each as a process with the same flags, before the same kubelet on the same machines.

import { deepStrictEqual } from 'node:assert'
import { join } from 'node:path'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { type PluginAnswer, pluginAnswer } from './plugin-answers.ts'
import { type PluginCase, pluginCases } from './plugin-cases.ts'

export const plugin = upstreamVersion('intel-gpu-plugin')
const ours = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')

export async function upstreamAnswer(one: PluginCase): Promise<PluginAnswer> {
  return await pluginAnswer([await upstreamPath(one.program)], one)
}

/** What ours answers differently on purpose is made the same: it answers more. */
export function comparable(answer: PluginAnswer, { program }: PluginCase): PluginAnswer {
  if (program === 'intel-gpu-plugin') return answer
  // Upstream's has no preference for NPUs.
  const resources = Object.entries(answer.resources).map(([name, resource]) => [name, { ...resource, preferred: [] }])
  return { ...answer, resources: Object.fromEntries(resources) }
}

export async function comparedPlugins(): Promise<string> {
  let questions = 0
  for (const one of pluginCases) {
    const theirs = await upstreamAnswer(one)
    const own = await pluginAnswer([process.execPath, ours, one.program], one)
    deepStrictEqual(withoutUnused(comparable(own, one), theirs), theirs, one.name)
    questions += Object.values(theirs.resources).reduce(
      (sum, { allocated, preferred }) => sum + allocated.length + preferred.length,
      0,
    )
  }
  return `${pluginCases.length} machines offered as by ${plugin}, ${questions} questions answered the same`
}

/** Upstream writes a file for CDI when a card is first given away, ours as soon as it is there. */
export function withoutUnused(own: PluginAnswer, theirs: PluginAnswer): PluginAnswer {
  return { ...own, cdi: Object.fromEntries(Object.entries(own.cdi).filter(([file]) => Object.hasOwn(theirs.cdi, file))) }
}
