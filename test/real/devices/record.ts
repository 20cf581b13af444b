// Writes down what Intel's plugins and AMD's answer, so that `npm test` compares with it anywhere: `node test/real/devices/record.ts [amd-answers]`.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { amdCases, amdOtherwise } from './amd-cases.ts'
import { type PluginCase, pluginCases } from './plugin-cases.ts'
import { amdPlugin, plugin, upstreamAnswer } from './plugins.ts'

const directory = join(import.meta.dirname, '..', '..', 'fixtures', 'devices')

mkdirSync(directory, { recursive: true })

async function record(file: string, program: string, cases: readonly PluginCase[]): Promise<void> {
  const answers: Record<string, unknown> = {}
  for (const one of cases) answers[one.name] = await upstreamAnswer(one)
  const text = JSON.stringify({ program, command: `node test/real/devices/record.ts ${file}`, answers }, undefined, 1)
  writeFileSync(join(directory, `${file}.json`), `${text}\n`)
}

const wanted = process.argv.slice(2)
const recordings = {
  'plugin-answers': [plugin, pluginCases],
  'amd-answers': [amdPlugin, [...amdCases, ...Object.values(amdOtherwise)]],
} as const
for (const [file, [program, cases]] of Object.entries(recordings))
  if (wanted.length === 0 || wanted.includes(file)) await record(file, program, cases)
