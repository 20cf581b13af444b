// `ballast twin --state` killed by SIGKILL while eight writers write: each write that was acknowledged is there when it starts again.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { commandLine } from './cli/bundled.ts'

const kills = 5
const writers = 8
const namespace = 'default'

interface Life extends AsyncDisposable {
  readonly api: Api
  readonly kill: () => Promise<void>
}

async function begun(folder: string): Promise<Life> {
  const kubeconfig = join(folder, 'kubeconfig')
  rmSync(kubeconfig, { force: true })
  const words = ['twin', '--state', join(folder, 'state'), '--kubeconfig-out', kubeconfig]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', commandLine, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = endOf(child)
  while (!existsSync(kubeconfig) || readFileSync(kubeconfig).length === 0) {
    if (child.exitCode !== null) throw new Error(`the twin ended: ${said}`)
    await systemClock.after(50)
  }
  const config = await loadConfig({ environment: {}, homeDirectory: '/nowhere', kubeconfig })
  const transport = openHttpTransport(config, { clock: systemClock, random: seededRandom(1) })
  const api = openApi(transport, { clock: systemClock, userAgent: 'test', bucket: { perSecond: 0, burst: 0 } })
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  const end = async () => {
    await api.close()
    await kill()
  }
  return { api, kill, [Symbol.asyncDispose]: end }
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise(resolve => child.once('exit', () => resolve()))
}

const configMap = (name: string, count: number) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data: { count: String(count) },
})

test('what was acknowledged before a kill is there after it', { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-kills-'))
  const random = seededRandom(7)
  const signal = new AbortController().signal
  /** The last count that each map was acknowledged with, and the one that may have been written without an answer. */
  const acknowledged = new Map<string, number>()
  const asked = new Map<string, number>()
  let count = 0
  let revision = 0
  try {
    for (let life = 0; life <= kills; life++) {
      await using twin = await begun(folder)
      const maps = twin.api.resource(builtIn.configmaps)
      const list = await maps.list({ namespace, signal })
      expect(Number(list.metadata.resourceVersion)).toBeGreaterThanOrEqual(revision)
      const there = new Map(
        list.items.map(one => [one.metadata.name, Number((one as { data?: { count?: string } }).data?.count)]),
      )
      for (const [name, last] of acknowledged) {
        const found = there.get(name)
        expect([last, asked.get(name)], `${name} after kill ${life}`).toContain(found)
      }
      if (life === kills) break
      await maps.create(configMap(`begun-${life}`, 0), { namespace, signal })
      // Who saw the last acknowledged write goes on from it.
      if (life > 0)
        for await (const { type } of maps.watch({ namespace, resourceVersion: String(revision), signal })) {
          expect(['ADDED', 'MODIFIED']).toContain(type)
          break
        }
      let isOver = false
      const killed = systemClock.after(400 + random() * 1_200).then(async () => {
        await twin.kill()
        isOver = true
      })
      const write = async (writer: number) => {
        for (let number = 0; !isOver; number++) {
          const name = `map-${life}-${writer}-${number % 40}`
          const now = ++count
          asked.set(name, now)
          try {
            const made = acknowledged.has(name)
              ? await maps.update(configMap(name, now), { namespace, signal })
              : await maps.create(configMap(name, now), { namespace, signal })
            acknowledged.set(name, now)
            revision = Math.max(revision, Number(made.metadata.resourceVersion))
          } catch (error) {
            // It was killed with the request on its way: the write counts for neither.
            if (!isOver) await killed
            if (error instanceof Error && error.name === 'StatusError') throw error
          }
        }
      }
      await Promise.all([killed, ...Array.from({ length: writers }, (_, writer) => write(writer))])
    }
    expect(acknowledged.size).toBeGreaterThan(kills * writers)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
