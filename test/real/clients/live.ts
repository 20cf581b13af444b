// The same clients on the twin itself, over HTTPS and without a proxy: they must come to what they came to on the real server.
// `node test/real/clients/live.ts [client …]` prints the table.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { table } from '#dashboard/terminal/lines.ts'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { recordedFile, recordingOf } from '../../fidelity-table.ts'
import { PartUnavailable } from '../cache.ts'
import { type ClientScenario, clientScenarios } from './scenarios.ts'
import { ClientSite } from './site.ts'

/** Plays a scenario on a new twin. Throws where the client does not come to its end, or to another one than was recorded. */
export async function playOnTwin(scenario: ClientScenario): Promise<readonly string[]> {
  await using stack = new AsyncDisposableStack()
  const unexpected: unknown[] = []
  const twin = stack.use(
    await startTwin({
      clock: systemClock,
      components: false,
      listen: { port: 0 },
      onTrouble: ({ error }) => unexpected.push(error),
    }),
  )
  const directory = mkdtempSync(join(tmpdir(), 'ballast-client-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const kubeconfig = join(directory, 'twin.kubeconfig')
  writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
  const site = stack.use(new ClientSite(kubeconfig, directory))
  const { saw } = await scenario.run(site)
  if (unexpected.length > 0) throw new Error('the twin met an error of its own', { cause: unexpected[0] })
  const file = recordedFile(scenario.name)
  if (file === undefined) throw new Error(`nothing is recorded of ${scenario.name}`)
  const recorded = recordingOf(file).saw
  if (JSON.stringify(saw) !== JSON.stringify(recorded))
    throw new Error(`found ${saw.join('; ')}, on the real server ${recorded.join('; ')}`)
  return saw
}

if (import.meta.main) {
  const wanted = process.argv.slice(2)
  const rows: string[][] = []
  for (const scenario of clientScenarios.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    try {
      const saw = await playOnTwin(scenario)
      rows.push([scenario.name, scenario.version, `as on the real server: ${saw.length} lines`])
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause
      rows.push([
        scenario.name,
        scenario.version,
        `${cause instanceof PartUnavailable ? 'open' : 'FAILED'}: ${cause.message}`.slice(0, 300),
      ])
    }
  }
  console.log(table([{ title: 'client' }, { title: 'version' }, { title: 'on the twin' }], rows))
}
