// Writes down what Intel's plugins answer, so that `npm test` compares with it anywhere: `node test/real/devices/record.ts`.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pluginCases } from './plugin-cases.ts'
import { plugin, upstreamAnswer } from './plugins.ts'

const directory = join(import.meta.dirname, '..', '..', 'fixtures', 'devices')

const answers: Record<string, unknown> = {}
for (const one of pluginCases) answers[one.name] = await upstreamAnswer(one)
mkdirSync(directory, { recursive: true })
const text = JSON.stringify({ program: plugin, command: 'node test/real/devices/record.ts', answers }, undefined, 1)
writeFileSync(join(directory, 'plugin-answers.json'), `${text}\n`)
