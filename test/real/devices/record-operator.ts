// Writes down what Intel's operator makes of objects, so that `npm test` compares with it anywhere: `node test/real/devices/record-operator.ts`.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { upstreamAnswers } from './operators.ts'

const file = join(import.meta.dirname, '..', '..', 'fixtures', 'devices', 'operator-answers.json')
const answers = { command: 'node test/real/devices/record-operator.ts', ...(await upstreamAnswers()) }
writeFileSync(file, `${JSON.stringify(answers, undefined, 1)}\n`)
