// Plays the rows of fall-through-rows.ts to real containerds and says what they did. `node test/real/mirror/fall-through.ts` records it in
// test/fixtures/mirror/fall-through.json, where `npm test` holds our front's answers to it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import type { Check } from '../check.ts'
import { type ContainerdLine, type NodeContainerd, startNodeContainerd } from './containerd.ts'
import { type Row, rows } from './fall-through-rows.ts'
import { hostsText, registryName } from './laboratory/laboratory.ts'
import { type ScriptedRegistry, smallImage, startScriptedRegistry } from './laboratory/scripted-registry.ts'

export interface Behaviour {
  /** Whether the pull came to its end with the right bytes; `waits`: it had not ended when we lost patience. */
  readonly pull: 'done' | 'failed' | 'waits'
  /** How often each was asked of the mirror, and of the server after it. */
  readonly mirror: Readonly<Record<string, number>>
  readonly server: Readonly<Record<string, number>>
  /**
   * Whether a later pull, with the mirror answering 404, was done: only where the first was not. Wrong bytes that came whole stay as a
   * download until containerd's garbage collector takes it (well below a second): until then it commits them again and asks nobody.
   */
  readonly later?: 'done' | 'failed'
}

export interface RecordedBehaviour {
  readonly containerd: string
  readonly command: string
  readonly rows: Readonly<Record<string, Behaviour>>
}

const lines: readonly ContainerdLine[] = ['1.6', '2']
const laterMs = 10_000
const betweenPullsMs = 1_000
const layerBytes = 200_000
const fixture = join(import.meta.dirname, '..', '..', 'fixtures', 'mirror', 'fall-through.json')

/** All rows with one line of containerd. @throws PartUnavailable */
export async function playRows(line: ContainerdLine): Promise<RecordedBehaviour> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-fall-through-'))
  await using resources = new AsyncDisposableStack()
  resources.defer(() => rmSync(directory, { recursive: true, force: true }))
  const containerd = resources.use(await startNodeContainerd({ line }))
  mkdirSync(join(directory, '_default'))
  const seen: Record<string, Behaviour> = {}
  for (const [index, row] of rows.entries()) seen[row.name] = await playRow(row, index, containerd, directory)
  const command = `ctr images pull${line === '2' ? ' --local' : ''} --hosts-dir`
  return { containerd: containerd.version, command, rows: seen }
}

async function playRow(row: Row, index: number, containerd: NodeContainerd, directory: string): Promise<Behaviour> {
  // Each row has an image of its own: nothing that came before lies in the store.
  const image = smallImage(`acme/row${index}`, 'v1', layerBytes)
  const reference = `${registryName}/${image.repository}:${image.tag}`
  await using server = await startScriptedRegistry(image, () => ({ kind: 'serve' }))
  const pull = async (mirror: ScriptedRegistry) => {
    writeFileSync(join(directory, '_default', 'hosts.toml'), hostsText(server.url, [mirror.url]))
    return (await containerd.pull(reference, { hostsDirectory: directory })).code === 0
  }
  await using mirror = await startScriptedRegistry(image, row.script)
  if (row.isDown) await mirror[Symbol.asyncDispose]()
  const pulling = pull(mirror)
  let waits = false
  const cancel = systemClock.schedule(row.patienceMs ?? 60_000, () => {
    waits = true
    mirror.release()
  })
  const isDone = await pulling
  cancel()
  const asked = { mirror: mirror.asked(), server: server.asked() }
  if (waits) return { pull: 'waits', ...asked }
  if (isDone) return { pull: 'done', ...asked }
  await using after = await startScriptedRegistry(image, () => ({ kind: 'status', status: 404 }))
  return { pull: 'failed', ...asked, later: (await doneInTime(() => pull(after))) ? 'done' : 'failed' }
}

async function doneInTime(pull: () => Promise<boolean>): Promise<boolean> {
  const startedMs = systemClock.elapsed()
  while (systemClock.elapsed() - startedMs < laterMs) {
    if (await pull()) return true
    await systemClock.after(betweenPullsMs)
  }
  return false
}

/** What was recorded, by line of containerd. */
export function recordedBehaviour(): readonly RecordedBehaviour[] {
  return JSON.parse(readFileSync(fixture, 'utf8'))
}

export const fallThroughChecks: readonly Check[] = lines.map((line, index) => ({
  name: `mirror: containerd ${line} falls through as recorded`,
  async run() {
    const recorded = recordedBehaviour()[index]
    const seen = await playRows(line)
    const differing = rows
      .map(({ name }) => name)
      .filter(
        name => recorded?.rows[name]?.pull !== seen.rows[name]?.pull || recorded?.rows[name]?.later !== seen.rows[name]?.later,
      )
    if (differing.length > 0) {
      throw new Error(differing.map(name => `${name}: ${JSON.stringify(seen.rows[name])}`).join('\n'))
    }
    return `${rows.length} rows with containerd ${seen.containerd}`
  },
}))

if (import.meta.main) {
  const recorded: RecordedBehaviour[] = []
  for (const line of lines) recorded.push(await playRows(line))
  mkdirSync(join(fixture, '..'), { recursive: true })
  writeFileSync(fixture, `${JSON.stringify(recorded, undefined, 2)}\n`)
}
