// Plays `test/gateway-cases.ts` against the HTTP add-on's interceptor and writes what clients and backends got to
// `test/fixtures/http-add-on/answers.json`. Run it by `node bin/set-up node test/real/gateway/record.ts`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { answerOf, type Backend, backends, type GatewayCase, gatewayCases, gatewayObjects } from '../../gateway-cases.ts'
import { rawCases } from '../../gateway-smuggling-cases.ts'
import { exchangeRaw, type StrictBackend, startStrictBackend } from '../../gateway-strict-backend.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { type Door, GatewaySite, machineAddress } from './site.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'http-add-on')

/** Three seconds for an answer, and forty milliseconds for more than that. */
const patience = { mostTurns: 600, moreTurns: 8, turn: () => pause(5) }

/** What a case came to, latin1. */
interface Played {
  readonly client: string
  /** Whole requests of each backend that got one. */
  readonly backends: Readonly<Record<string, readonly string[]>>
  /** Bytes that backends got which are no whole request. */
  readonly rest?: string
}

await using stack = new AsyncDisposableStack()
const strict = new Map<Backend, StrictBackend>()
for (const name of backends) strict.set(name, stack.use(await startStrictBackend('0.0.0.0')))
const site = stack.use(await GatewaySite.start())
const ports = Object.fromEntries([...strict].map(([name, { port }]) => [name, port])) as Record<Backend, number>
const closedPort = await freePort()
const objects = gatewayObjects({ ports, closedPort, address: machineAddress() })
// One after the other: routes that are equal otherwise go by age.
for (const object of objects) await site.make([object])
const names = new Set(objects.flatMap(({ kind, metadata }) => (kind === 'Service' ? [`${metadata.name}.default`] : [])))
const door = await site.upstream([...names])

/** Times and ports of this run are no finding. */
function settled(text: string): string {
  let plain = text.replace(/\bDate: (?!Mon, 01 Jan 2024)[^\r\n]*GMT/gi, 'Date: NOW')
  for (const [name, port] of Object.entries(ports)) plain = plain.replaceAll(String(port), `PORT-OF-${name.toUpperCase()}`)
  // What only fills is not kept.
  return plain.replaceAll(machineAddress(), 'ADDRESS').replace(/(.)\1{999,}/g, (run, letter) => `<${run.length} × ${letter}>`)
}

async function played(one: GatewayCase): Promise<Played> {
  for (const backend of strict.values()) backend.reset(answerOf(one))
  const client = settled(await exchangeRaw(door.port, one, patience))
  const got = [...strict].flatMap(([name, { requests }]) =>
    requests.length === 0 ? [] : [[name, requests.map(({ text }) => settled(text))] as const],
  )
  const rest = settled([...strict.values()].map(backend => backend.rest()).join(''))
  return { client, backends: Object.fromEntries(got), ...(rest === '' ? {} : { rest }) }
}

async function playedAll(cases: readonly GatewayCase[]): Promise<Record<string, Played>> {
  const all: Record<string, Played> = {}
  for (const one of cases) {
    if (all[one.name] !== undefined) throw new Error(`two cases are named ${one.name}`)
    all[one.name] = await played(one)
  }
  return all
}

async function adminOf({ adminPort }: Door) {
  const asked = ['/livez', '/readyz', '/queue', '/', '/else']
  return Object.fromEntries(
    await Promise.all(
      asked.map(async path => {
        const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`)
        const body = await answer.text()
        return [
          path,
          { status: answer.status, type: answer.headers.get('content-type'), body: path === '/queue' ? JSON.parse(body) : body },
        ]
      }),
    ),
  )
}

/** Names, kinds and labels of the metrics that are the interceptor's own; values are of this run. */
async function metricsOf({ metricsPort }: Door): Promise<readonly string[]> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  const lines = text.split('\n').filter(line => /^(# (TYPE|HELP) )?(interceptor|target)_/.test(line))
  const shapes = lines.map(line =>
    line.startsWith('#') ? line.replace(/^(# HELP \S+) .*/, '$1') : line.replace(/\} \S+$/, '}').replace(/="[^"]*"/g, '=""'),
  )
  return [...new Set(shapes)].filter(line => !line.startsWith('# HELP')).toSorted()
}

const source = { program: upstreamVersion('http-add-on-interceptor'), command: 'node test/real/gateway/record.ts' }
const cases = await playedAll(gatewayCases)
const admin = await adminOf(door)
const metrics = await metricsOf(door)
const raw = await playedAll(rawCases)
mkdirSync(fixtures, { recursive: true })
const written = (name: string, content: unknown) =>
  void writeFileSync(join(fixtures, name), `${JSON.stringify(content, undefined, 1)}\n`)
written('answers.json', { ...source, cases, admin, metrics })
written('raw.json', { ...source, cases: raw })
console.log(`${Object.keys(cases).length} cases and ${Object.keys(raw).length} of raw bytes are recorded`)
