// The program that pushes, killed at its requests: before the registry gets one, or before the answer is heard.
import { deepStrictEqual, strictEqual } from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request as askOn, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { z } from 'zod'
import { smallRelease } from '../../../scripts/push/small-release.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { temporaryFolder } from './own-release.ts'
import { dockerRegistry, type RealRegistry } from './registries.ts'

const scripts = join(import.meta.dirname, '..', '..', '..', 'scripts', 'push')
/** The folder of the keys. */
export const publishedBy = join(scripts, 'testdata')

/** Arguments of Node that push a folder into a registry, signed. */
export function pushWords(folder: string, host: string): readonly string[] {
  const to = ['--to', `oci://${host}/team`, '--plain-http']
  return [join(scripts, 'main.ts'), '--from', folder, ...to, '--key', join(publishedBy, 'cosign-3.1.1.key')]
}

const version = '1.2.3'

/** Each push has a repository of its own; what is in it in the end is what a push that nobody disturbed leaves. */
export async function killedPushes(): Promise<string> {
  const folder = temporaryFolder()
  await smallRelease(folder)
  const port = await freePort()
  await using registry = await dockerRegistry([`localhost:${port}`])
  const between = new Between(registry)
  const proxy = createServer((incoming, outgoing) => void between.forward(incoming, outgoing))
  proxy.listen(port, '127.0.0.1')
  await once(proxy, 'listening')
  const run = async (name: string, at?: number) => {
    const env = { ...process.env, ...registry.environment, COSIGN_PASSWORD: 'ballast-test' }
    const child = spawn(process.execPath, pushWords(folder, `localhost:${port}/${name}`), {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    between.begin(child, at)
    const said = buffer(child.stderr)
    const [code] = await once(child, 'close')
    return { code, said: (await said).toString('utf8') }
  }
  try {
    const whole = await run('whole')
    strictEqual(whole.code, 0, whole.said)
    const requests = between.number
    const goal = await stateOf(registry, 'whole')
    strictEqual(goal.image && goal.chart, true)
    // Some, and each of the last, where the tags are; the deep tests kill it at each.
    const points = Array.from({ length: requests }, (_, at) => at).filter(at => at % 16 === 0 || at >= requests - 4)
    for (const at of points) {
      const name = `at-${at}`
      const killed = await run(name, at)
      strictEqual(killed.code, null, `request ${at}: ${killed.said}`)
      const half = await stateOf(registry, name)
      // A tag is seen only where all that belongs to it is there.
      if (half.image) deepStrictEqual({ ...half, chart: true }, goal, `request ${at}`)
      if (half.chart) strictEqual(half.image, true)
      const again = await run(name)
      strictEqual(again.code, 0, again.said)
      deepStrictEqual(await stateOf(registry, name), goal, `request ${at}`)
    }
    return `killed at ${points.length} of ${requests} requests of a push`
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
}

/** Stands before the registry, counts the requests of a program, and kills it at one. */
class Between {
  readonly #port: number
  number = 0
  #child: ChildProcess | undefined
  #at: number | undefined

  constructor({ host }: RealRegistry) {
    this.#port = Number(host.split(':')[1])
  }

  begin(child: ChildProcess, at: number | undefined): void {
    this.number = 0
    this.#child = child
    this.#at = at
  }

  async forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const at = this.number++
    const child = this.#child
    const isLast = at === this.#at
    if (isLast && at % 2 !== 0) child?.kill('SIGKILL')
    if (isLast && at % 2 !== 0) return
    const body = await buffer(incoming)
    const { method, url, headers } = incoming
    const asked = askOn({ host: '127.0.0.1', port: this.#port, method, path: url, headers })
    asked.on('error', cause => outgoing.destroy(cause))
    asked.on('response', answer => {
      if (isLast) child?.kill('SIGKILL')
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    asked.end(body)
  }
}

const tagList = z.object({ tags: z.array(z.string()).nullish() })
const parts = z.object({ layers: z.array(z.unknown()).optional(), manifests: z.array(z.unknown()).optional() })

interface State {
  readonly image: boolean
  readonly chart: boolean
  /** How much lies under each other tag: signatures, attestations, what refers to something. */
  readonly counts: readonly number[]
}

/** What the registry has below a name. */
async function stateOf({ host, authorization }: RealRegistry, name: string): Promise<State> {
  const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json'
  const ask = (path: string) => fetch(`http://${host}/v2/${name}/team/${path}`, { headers: { authorization, accept } })
  const counts: number[] = []
  for (const repository of ['ballast', 'charts/ballast']) {
    const { tags } = tagList.parse(await (await ask(`${repository}/tags/list`)).json())
    for (const tag of (tags ?? []).toSorted()) {
      if (tag === version) continue
      const { layers, manifests = [] } = parts.parse(await (await ask(`${repository}/manifests/${tag}`)).json())
      counts.push((layers ?? manifests).length)
    }
  }
  const [image = false, chart = false] = await Promise.all(
    ['ballast', 'charts/ballast'].map(async repository => (await ask(`${repository}/manifests/${version}`)).ok),
  )
  return { image, chart, counts }
}
