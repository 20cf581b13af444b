// Intel's plugins, AMD's and ours, each as a process with the same flags, before the same kubelet on the same machines.

import { deepStrictEqual } from 'node:assert'
import { join } from 'node:path'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { amdCases, amdOtherwise } from './amd-cases.ts'
import { comparable, recordedAnswers, withoutUnused } from './comparable.ts'
import { type PluginAnswer, pluginAnswer } from './plugin-answers.ts'
import { type PluginCase, pluginCases } from './plugin-cases.ts'

export const plugin = upstreamVersion('intel-gpu-plugin')
export const amdPlugin = upstreamVersion('amd-gpu-plugin')
const ours = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')

/** AMD's takes no prefix: it gets the tree where the kernel's own files are. */
export const asMachine = 'set -e; tree=$1; shift; mount --bind "$tree/sys" /sys; exec "$@"'

export async function upstreamAnswer(one: PluginCase): Promise<PluginAnswer> {
  const path = await upstreamPath(one.program)
  if (one.program !== 'amd-gpu-plugin') return await pluginAnswer(tree => [path, ...one.flags, `-prefix=${tree}`], one)
  const command = (tree: string) => ['sh', '-c', asMachine, 'machine', tree, path, '-logtostderr', ...one.flags]
  return await pluginAnswer(command, one, true)
}

async function ownAnswer(one: PluginCase): Promise<PluginAnswer> {
  return await pluginAnswer(tree => [process.execPath, ours, one.program, ...one.flags, `-prefix=${tree}`], one)
}

export const comparedPlugins = (): Promise<string> => compared(pluginCases, plugin)

export async function comparedAmd(): Promise<string> {
  for (const one of Object.values(amdOtherwise)) {
    const recorded = recordedAnswers('amd-answers')[one.name]
    deepStrictEqual(await upstreamAnswer(one), recorded, `${one.name}: upstream answers otherwise than recorded`)
  }
  return await compared(amdCases, amdPlugin)
}

async function compared(cases: readonly PluginCase[], whose: string): Promise<string> {
  let questions = 0
  for (const one of cases) {
    const said = await upstreamAnswer(one)
    const theirs = comparable(said, one, said)
    const own = await ownAnswer(one)
    deepStrictEqual(withoutUnused(comparable(own, one, theirs), theirs), theirs, one.name)
    questions += Object.values(theirs.resources).reduce(
      (sum, { allocated, preferred }) => sum + allocated.length + preferred.length,
      0,
    )
  }
  return `${cases.length} machines offered as by ${whose}, ${questions} questions answered the same`
}
