// Records what clients ask of a real API server and what it answers: `node test/real/clients/record.ts [client …]` writes
// test/fixtures/clients. Each client has a control plane of its own, without controllers: what happens is what the client does.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClientRecording, packed, recordingText } from '../../fidelity-exchange.ts'
import { PartUnavailable } from '../cache.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { startRecordingProxy } from './proxy.ts'
import { type ClientScenario, clientScenarios } from './scenarios.ts'
import { ClientSite } from './site.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'clients')
/** Bigger recordings are packed. */
const packedFromBytes = 60_000

/** Plays a scenario on a new control plane and yields what was asked and answered. */
export async function record(scenario: ClientScenario): Promise<ClientRecording> {
  await using stack = new AsyncDisposableStack()
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, serviceAccounts: true })
  stack.defer(() => plane.stop())
  const proxy = stack.use(await startRecordingProxy(plane.kubeconfig))
  const directory = mkdtempSync(join(tmpdir(), 'ballast-client-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const site = stack.use(new ClientSite(proxy.kubeconfig, directory))
  const done = await scenario.run(site)
  await site.until('the last answers', () => proxy.underWay === 0)
  const { name, version, command } = scenario
  return { client: name, version, command, ...done, server: plane.serverVersion, exchanges: proxy.exchanges() }
}

if (import.meta.main) {
  const wanted = process.argv.slice(2)
  mkdirSync(fixtures, { recursive: true })
  for (const scenario of clientScenarios.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    try {
      const recording = await record(scenario)
      const text = recordingText(recording)
      const file = join(fixtures, `${scenario.name}.json`)
      for (const old of [file, `${file}.gz`]) rmSync(old, { force: true })
      if (text.length > packedFromBytes) writeFileSync(`${file}.gz`, packed(text))
      else writeFileSync(file, text)
      console.log(`${scenario.name}: ${recording.exchanges.length} exchanges, saw ${recording.saw.join(', ')}`)
    } catch (cause) {
      if (!(cause instanceof PartUnavailable)) process.exitCode = 1
      console.log(`${scenario.name}: ${cause instanceof Error ? `${cause.message} ${cause.cause ?? ''}` : String(cause)}`)
    }
  }
}
