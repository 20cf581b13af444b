// One cycle of the real descheduler against a twin that nobody else moves: which pods it evicts.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects.ts'
import { startTwin } from '#twin/twin.ts'
import { upstreamPath } from '../upstreams/build.ts'

const user = 'upstream'
const longestMs = 120_000

/** As a recording names it. */
export const upstreamCommand =
  'descheduler --policy-config-file=policy.json --kubeconfig=kubeconfig --descheduling-interval=0 --secure-port=0 --disable-metrics --v=1'

/**
 * The pods (`namespace/name`) that upstream evicts from `objects` in its only cycle, in order. Throws PartUnavailable where the program
 * cannot be had, Error with its last words where it fails.
 */
export async function upstreamCycle(objects: readonly KubeObject[], policy: string): Promise<readonly string[]> {
  const program = await upstreamPath('descheduler')
  await using stack = new AsyncDisposableStack()
  // No kubelet: an evicted pod is terminating for the rest of the cycle, as it is in a real cluster.
  const twin = stack.use(await startTwin({ clock: systemClock, objects, components: false, listen: { port: 0 } }))
  const directory = mkdtempSync(join(tmpdir(), 'ballast-side-by-side-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const place = (name: string) => join(directory, name)
  writeFileSync(place('policy.json'), policy)
  writeFileSync(place('kubeconfig'), await twin.kubeconfig({ name: user, groups: ['system:masters'] }), { mode: 0o600 })
  const [, ...args] = upstreamCommand
    .replace('policy.json', place('policy.json'))
    .replace('=kubeconfig', `=${place('kubeconfig')}`)
    .split(' ')
  const said = await ended(program, args)
  const evictions = twin.requests.entries.flatMap(({ user: by, path, code }) => {
    const [, namespace, name] = /\/namespaces\/([^/]+)\/pods\/([^/]+)\/eviction$/.exec(path) ?? []
    return by === user && namespace !== undefined ? [{ pod: `${namespace}/${name}`, code }] : []
  })
  const refused = evictions.find(({ code }) => code >= 300)
  if (refused !== undefined) throw new Error(`eviction of ${refused.pod}: found ${refused.code}, expected 201; ${said}`)
  return [...new Set(evictions.map(({ pod }) => pod))]
}

/** What the program said last, once it has ended well. */
async function ended(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin' }, timeout: longestMs })
  const tail: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      tail.push(...text.split('\n'))
      tail.splice(0, tail.length - 30)
    })
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('exit', resolve)
  const code = await promise
  if (code !== 0) throw new Error(`descheduler ended with ${code}: ${tail.join('\n')}`)
  return tail.join('\n')
}
