// Records what a real kube-apiserver answers: `node test/real/api-answers/record.ts [scenario …]`. The twin is held to it by `npm test`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { comparable, type RecordedScenario } from '#test/api-answers.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { answerScenarios } from './scenarios.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'api-answers')
/** A definition is served a moment after it was created. */
const definitionPauseMs = 2000

const wanted = process.argv.slice(2)
const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
try {
  mkdirSync(fixtures, { recursive: true })
  for (const { name, requests } of answerScenarios.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const exchanges: RecordedScenario['exchanges'][number][] = []
    for (const request of requests) {
      const { status, body } = await plane.client.send(request.verb, request.path, request.body, request.contentType)
      exchanges.push({ ...request, status, answer: comparable(body) })
      if (request.path.includes('customresourcedefinitions')) await pause(definitionPauseMs)
    }
    const lines = exchanges.map(exchange => `  ${JSON.stringify(exchange)}`)
    const head = `{"server":${JSON.stringify(plane.serverVersion)},"name":${JSON.stringify(name)},"exchanges":[`
    writeFileSync(join(fixtures, `${name}.json`), `${head}\n${lines.join(',\n')}\n]}\n`)
    console.log(`${name}: ${exchanges.length} answers`)
  }
} finally {
  await plane.stop()
}
