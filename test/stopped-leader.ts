// An API server of a few lines that plays the successor of a stopped leader, and judges: once the successor has the Lease and has withdrawn
// what had not happened, nothing of the one before may arrive.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '#kube/clock.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import type { StoppedLeaderEnd, StoppedLeaderTask } from './stopped-leader-child.ts'

const speed = 40
/** The Lease's time, and a little more for what is on its way. */
const stillMs = 15_000 / speed + 100

interface Lease {
  readonly metadata: { readonly resourceVersion: string }
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions?: number }
}

/** The server's side of one seed. */
class Run {
  readonly violations: string[] = []
  /** The successor leads, and has told that nothing had happened. */
  isWithdrawn = false
  arrived = 0
  readonly #random: Random
  #lease: Lease | undefined
  #version = 0
  readonly #unauthorized: Set<string> | undefined

  constructor(seed: number) {
    this.#random = seededRandom(seed * 7_919)
    this.#unauthorized = this.#random() < 0.5 ? new Set() : undefined
  }

  succeed(): void {
    const transitions = (this.#lease?.spec.leaseTransitions ?? 0) + 1
    this.#store({ ...this.#lease, spec: { ...this.#lease?.spec, holderIdentity: 'bb', leaseTransitions: transitions } })
    this.isWithdrawn = true
  }

  async answer(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET' } = request
    const isEffect = method !== 'GET' && !path.includes('/leases')
    if (isEffect) this.arrived++
    if (isEffect && this.isWithdrawn) this.violations.push(`${method} ${path}`)
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const text = Buffer.concat(pieces).toString()
    if (path.includes('/leases')) {
      this.#answerLease(method, text === '' ? undefined : JSON.parse(text), response)
      return
    }
    await systemClock.after(this.#random() * 80)
    // Each is told once that its token is old, and asks again with a new one.
    if (this.#unauthorized !== undefined && !this.#unauthorized.has(path)) {
      this.#unauthorized.add(path)
      say(response, 401, { kind: 'Status', code: 401, reason: 'Unauthorized' })
      return
    }
    const name = path.split('/').findLast(part => part.startsWith('x')) ?? ''
    const metadata = { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '5', generation: 2 }
    say(response, method === 'POST' ? 201 : 200, { kind: 'Thing', metadata, spec: {} })
  }

  #answerLease(method: string, sent: Lease | undefined, response: ServerResponse): void {
    const known = this.#lease
    const isCurrent = method === 'POST' ? known === undefined : sent?.metadata.resourceVersion === known?.metadata.resourceVersion
    if (sent !== undefined && isCurrent) say(response, 200, this.#store(sent))
    else if (sent !== undefined) say(response, 409, { kind: 'Status', code: 409, reason: 'Conflict' })
    else if (known !== undefined) say(response, 200, known)
    else say(response, 404, { kind: 'Status', code: 404, reason: 'NotFound' })
  }

  #store(lease: Partial<Lease> & Pick<Lease, 'spec'>): Lease {
    this.#version++
    this.#lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(this.#version) } }
    return this.#lease
  }
}

function say(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function listen(isTls: boolean, answer: RequestListener): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = isTls ? createTlsServer(await certificate(), answer) : createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : ''
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `${isTls ? 'https' : 'http'}://127.0.0.1:${port}`, close }
}

async function certificate(): Promise<{ readonly cert: string; readonly key: string }> {
  const validity = { nowMs: systemClock.now() }
  const authority = await issueAuthority({ commonName: 'stopped leader', ...validity })
  const { certificate: cert, key } = await issueLeaf(authority, {
    commonName: 'server',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    ...validity,
  })
  return { cert, key }
}

/** What became of all seeds. */
export interface StoppedLeaders {
  /** What arrived too late, by seed. */
  readonly violations: readonly string[]
  readonly done: number
  readonly notSent: number
  /** What effects threw beside. */
  readonly others: readonly string[]
}

/** One process that is stopped and goes on once for each seed. @throws Error where it ends otherwise than it should */
export async function stopLeaders(
  of: Pick<StoppedLeaderTask, 'seeds' | 'isGuarded'> & { readonly isTls: boolean },
): Promise<StoppedLeaders> {
  const runs = new Map(of.seeds.map(seed => [seed, new Run(seed)]))
  const server = await listen(of.isTls, (request, response) => {
    const [, seed = '', path = ''] = /^\/run-(\d+)([^?]*)/.exec(request.url ?? '') ?? []
    runs
      .get(Number(seed))
      ?.answer(path, request, response)
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  const directory = mkdtempSync(join(tmpdir(), 'ballast-stopped-'))
  const tokenFile = join(directory, 'token')
  writeFileSync(tokenFile, 'token')
  const task: StoppedLeaderTask = { server: server.url, tokenFile, speed, seeds: of.seeds, isGuarded: of.isGuarded }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'stopped-leader-child.ts'), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = new Promise<number | null>(resolve => child.once('exit', resolve))
  try {
    const ends: StoppedLeaderEnd[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      const [word = '', rest = ''] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
      if (word === 'end') ends.push(JSON.parse(rest))
      if (word !== 'stop') continue
      await systemClock.after(stillMs)
      runs.get(Number(rest))?.succeed()
      child.kill('SIGCONT')
    }
    const code = await exit
    if (code !== 0 || ends.length < of.seeds.length) throw new Error(`the leader ended with ${code} after ${ends.length} runs`)
    return {
      violations: Array.from(runs).flatMap(([seed, { violations }]) => violations.map(what => `seed ${seed}: ${what}`)),
      done: ends.reduce((sum, end) => sum + end.done, 0),
      notSent: ends.reduce((sum, end) => sum + end.notSent, 0),
      others: ends.flatMap(end => end.others),
    }
  } finally {
    child.kill('SIGKILL')
    server.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
