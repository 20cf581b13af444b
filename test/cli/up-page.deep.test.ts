// `ballast up` with its page, as people meet it: the address, the loading, who approves, a reset, a port that is taken, a terminal.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { terminalModel } from '../../src/dashboard/terminal/screen-for-tests.ts'
import { type RunningBallast, startBallast } from './running-ballast.ts'

const patience = { timeout: 120_000, interval: 50 }
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-page-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let runs = 0
const up = (args: readonly string[], options = {}) =>
  startBallast(['up', '--port', '0', '--kubeconfig-out', join(folder, `kubeconfig-${runs++}`), ...args], options)

/** Where the page is. */
async function addressOf(ballast: RunningBallast): Promise<string> {
  const [, url = ''] = await ballast.said(/^Ballast {2}(http:\/\/127\.0\.0\.1:\d+\/)/m)
  return url
}

const overviewSchema = z.looseObject({
  revision: z.string(),
  loading: z.unknown(),
  plan: z
    .looseObject({ name: z.string(), phase: z.string(), done: z.number(), moves: z.number(), snapshotHash: z.string() })
    .nullable(),
  buttons: z.array(z.looseObject({ action: z.string(), enabled: z.boolean(), body: z.record(z.string(), z.unknown()) })),
})
const overview = async (url: string) => {
  const answer = await fetch(`${url}api/v1/overview`)
  expect(answer.status).toBe(200)
  return overviewSchema.parse(await answer.json())
}

/** As the page posts it. */
async function act(url: string, action: string, body: object = {}): Promise<number> {
  const { revision } = await overview(url)
  const answer = await fetch(`${url}api/v1/actions/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'ballast-action': '1', origin: url.slice(0, -1) },
    body: JSON.stringify({ ...body, revision }),
  })
  return answer.status
}

/** Waits for a button, then presses it. */
async function press(url: string, action: string): Promise<void> {
  const button = await vi.waitUntil(
    async () => (await overview(url)).buttons.find(one => one.action === action && one.enabled),
    patience,
  )
  expect(await act(url, action, button?.body)).toBe(200)
}

describe('up with its page', () => {
  test('prints the address, answers on it in plain text (D34), and ends in order', async () => {
    await using ballast = up([])
    await ballast.said(/^Ballast {2}http:\/\/127\.0\.0\.1:\d+\/ {2}\(twin of examples\/talos-homelab, 4 nodes, 124 pods\)$/m)
    const url = await addressOf(ballast)
    await ballast.said(/runs in the twin/)
    const text = await vi.waitUntil(async () => {
      const answer = await fetch(url, { headers: { accept: 'text/plain' } })
      const said = await answer.text()
      return said.includes('NODE ') ? said : undefined
    }, patience)
    expect(text).toMatch(
      /^talos-homelab \(twin\) {2}4 nodes {2}124 pods {2}cpu \d+m\/49800m \d\d% {2}memory \d+Mi\/114600Mi \d\d%\n/,
    )
    expect(text).toMatch(/\n$/)
    expect(text).not.toContain('\x1b')
    expect(Math.max(...text.split('\n').map(line => line.length))).toBeLessThanOrEqual(100)
    expect(await ballast.stop()).not.toBe(1)
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  })

  test('a port that is taken is said, and the next one used', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const address = server.address()
    const taken = typeof address === 'object' && address !== null ? address.port : 0
    try {
      await using ballast = up(['--port', String(taken)])
      const [, wanted, used] = await ballast.said(/port (\d+) is taken: the page is on (\d+)/)
      expect(Number(wanted)).toBe(taken)
      expect(Number(used)).toBeGreaterThan(taken)
      expect(await addressOf(ballast)).toContain(`:${used}/`)
    } finally {
      server.close()
    }
  })

  test('--no-dashboard opens no port and prints no address; --key demands one', async () => {
    await using without = up(['--no-dashboard'])
    await using keyed = startBallast(['up', '--port', '0', '--key', '--kubeconfig-out', join(folder, 'keyed')])
    const [, url = '', key = ''] = await keyed.said(/^Ballast {2}(http:\S+)\?key=(\S+)/m)
    expect((await fetch(`${url}api/v1/overview`)).status).toBe(401)
    const entered = await fetch(`${url}?key=${key}`, { redirect: 'manual' })
    expect([entered.status, entered.headers.get('set-cookie')]).toEqual([303, expect.stringContaining('HttpOnly')])
    await without.said(/approved; this command does the same/)
    expect(without.output).not.toMatch(/^Ballast|http:/m)
  })

  test('--ask: Run it on the page approves; Pause there pauses the run here, and Resume lets it go on', async () => {
    await using ballast = up(['--ask', '--speed', '4'])
    const url = await addressOf(ballast)
    await ballast.said(/Press .* to approve talos-\w+, or Run it on http:/)
    expect((await overview(url)).plan?.phase).toBe('Proposed')
    await press(url, 'approve')
    await ballast.said(/talos-\w+ was approved by local/)
    await ballast.said(/m01 .*ready on talos03/)
    await press(url, 'pause')
    await ballast.said(/talos-\w+ pauses: frozen by/)
    await vi.waitUntil(async () => (await overview(url)).plan?.phase === 'Paused', patience)
    await press(url, 'resume')
    await ballast.said(/talos-\w+ goes on/)
    await ballast.said(/every goal is met: 15 moves/)
    expect((await overview(url)).plan).toMatchObject({ phase: 'Succeeded', done: 15 })
  })

  test('reset from the page loads the source anew, with a new epoch, while the address stays', async () => {
    await using ballast = up([])
    const url = await addressOf(ballast)
    await ballast.said(/m01 .*ready on talos03/)
    const before = (await overview(url)).revision
    expect(await act(url, 'twin/reset')).toBe(200)
    await ballast.said(/examples\/talos-homelab is loaded anew[\s\S]*runs in the twin[\s\S]*m01 .*ready on talos03/)
    const after = await overview(url)
    expect(after.revision.split('.')[0]).not.toBe(before.split('.')[0])
    expect(after.plan?.moves).toBe(15)
    expect(ballast.words).toBe('')
  })
})

describe.skipIf(!existsSync('/usr/bin/script'))('up on a terminal', () => {
  test('draws the view below the story, turned by keys, and leaves the terminal as it was', async () => {
    await using ballast = up(['--speed', '4'], { onTerminal: true })
    const screen = () => {
      const terminal = terminalModel(122, 40)
      terminal.tty.write(ballast.output.replaceAll('\r\n', '\n'))
      return terminal
    }
    await ballast.said(/ready on talos03/)
    await vi.waitUntil(() => /^\? help .*q quit$/.test(screen().lines().at(-1) ?? ''), patience)
    expect(screen().lines().join('\n')).toMatch(/m01 .*ready on talos03.*\n(.*\n)*talos-homelab \(twin\) {2}4 nodes/)
    ballast.type('m')
    await vi.waitUntil(
      () =>
        screen()
          .lines()
          .some(line => /^NODE +MEMORY {2}# used {2}= requested/.test(line)),
      patience,
    )
    expect([screen().hasCursor, screen().isAlternate]).toEqual([false, false])
    await ballast.stop()
    expect([screen().hasCursor, screen().wraps, screen().isAlternate]).toEqual([true, true, false])
    // What was shown last stays: nothing is loaded again at the end.
    expect(screen().lines().join('\n')).not.toContain('Loading')
  })
})
