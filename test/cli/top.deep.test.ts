// `ballast top` and `ballast dashboard` as commands: the figures of the spec's table, the forms of output, and what is refused.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { VirtualClock } from '#kube/clock.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { readSource } from '../../src/cli/source/source.ts'
import { terminalModel } from '../../src/dashboard/terminal/screen-for-tests.ts'
import { runBallast } from './run-ballast.ts'
import { startBallast } from './running-ballast.ts'

interface KubeconfigText {
  readonly clusters: readonly object[]
  readonly contexts: readonly { readonly name: string; readonly context: { readonly cluster: string } }[]
}

const example = join(import.meta.dirname, '..', '..', 'examples', 'talos-homelab')
let folder = ''
let twin: Twin | undefined
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-top-'))
  const objects = readSource(example).objects.map(({ object }) => object)
  twin = await startTwin({ clock: new VirtualClock(Date.UTC(2025, 11, 19, 13)), objects, listen: { port: 0 } })
  writeFileSync(join(folder, 'kubeconfig'), await twin.kubeconfig())
})
afterAll(async () => {
  await twin?.stop()
  rmSync(folder, { recursive: true, force: true })
})

describe('top', () => {
  test('D4, D5: the homelab in the figures of kubectl', async () => {
    const { code, output, words } = await runBallast(['top', '--cluster', example])
    expect({ code, words }).toEqual({ code: 0, words: '' })
    expect(output).toMatch(/^talos-homelab {2}4 nodes {2}124 pods {2}cpu 19035m\/49800m 38% {2}memory 54771Mi\/114600Mi 47%\n/)
    const rows = output.split('\n').filter(line => line.startsWith('talos0'))
    // biome-ignore format: a table
    expect(rows.map(row => row.replace(/ [#=|.]+ /g, ' ').split(/ +/).join(' '))).toEqual([
      'talos00 93% 57% <=70 ! 82% 73% 59 Ready',
      'talos01 54% 7% 97% 30% 45 Ready',
      'talos02-gpu 32% 4% 28% 8% 11 Ready',
      'talos03 4% 0% >=30 ! 16% 11% 9 Ready',
    ])
    expect(Math.max(...output.split('\n').map(line => line.length))).toBeLessThanOrEqual(100)
  })

  test('sorts, shows other resources and labels', async () => {
    const { output } = await runBallast([
      'top',
      '--cluster',
      example,
      '--sort',
      '-memory',
      '--resource',
      'pods',
      '--labels',
      'kubernetes.io/arch',
    ])
    const lines = output.split('\n')
    expect(lines.find(line => line.startsWith('NODE'))).toMatch(/^NODE +ARCH +PODS.*REQ +COUNT +STATE$/)
    expect(lines.filter(line => line.startsWith('talos0')).map(line => line.split(' ')[0])).toEqual([
      'talos03',
      'talos02-gpu',
      'talos00',
      'talos01',
    ])
  })

  test('-o json has exact figures and the goals', async () => {
    const { output } = await runBallast(['top', '--cluster', example, '-o', 'json'])
    expect(JSON.parse(output)).toMatchObject({
      cluster: 'talos-homelab',
      nodes: [{ name: 'talos00', cpu: { requested: 7_425, allocatable: 7_950 }, pods: { count: 59 } }, {}, {}, {}],
      goals: [{ name: 'cp-light', met: false }, { name: 'use-talos03' }],
      plan: null,
    })
  })

  test('several contexts are a table each; one that cannot be read is told, and the others are shown', async () => {
    const config: KubeconfigText = parse(await (twin as Twin).kubeconfig())
    const [context] = config.contexts
    if (context === undefined) throw new Error('the twin names no context')
    const gone = { name: 'gone', cluster: { server: 'https://127.0.0.1:1' } }
    const many = {
      ...config,
      clusters: [...config.clusters, gone],
      contexts: ['home', 'work']
        .map(name => ({ ...context, name }))
        .concat({ name: 'gone', context: { ...context.context, cluster: 'gone' } }),
    }
    writeFileSync(join(folder, 'many'), stringify(many))
    const asked = ['top', '--kubeconfig', join(folder, 'many'), '--context', 'home', '--context', 'gone', '--context', 'work']
    const { code, output, words } = await runBallast(asked)
    expect([code, output.match(/^context (home|work)$/gm), output.match(/^talos00 .*93%/gm)?.length]).toEqual([
      1,
      ['context home', 'context work'],
      2,
    ])
    expect(words).toMatch(/^context gone: /m)
    const json = JSON.parse((await runBallast([...asked, '-o', 'json'])).output)
    expect(
      json.clusters.map((one: { context: string; nodes?: unknown[]; error?: string }) => [
        one.context,
        one.nodes?.length,
        one.error !== undefined,
      ]),
    ).toEqual([
      ['home', 4, false],
      ['gone', undefined, true],
      ['work', 4, false],
    ])
  })

  test('reads a live cluster; -w without a terminal is one table, said', async () => {
    const { code, output, words } = await runBallast(['top', '-w', '--kubeconfig', join(folder, 'kubeconfig')])
    expect({ code, words }).toEqual({ code: 0, words: 'standard output is no terminal: one table is printed, as without -w\n' })
    expect(output).toContain('4 nodes  124 pods  cpu 19035m/49800m 38%')
    expect(output).not.toContain('\x1b')
  })

  test.skipIf(!existsSync('/usr/bin/script'))('-w on a terminal is kept up in the alternate screen, until q', async () => {
    await using top = startBallast(['top', '-w', '--kubeconfig', join(folder, 'kubeconfig')], { onTerminal: true })
    const screen = () => {
      const terminal = terminalModel(122, 40)
      terminal.tty.write(top.output.replaceAll('\r\n', '\n'))
      return terminal
    }
    await top.said(/q quit/)
    expect(screen().isAlternate).toBe(true)
    expect(screen().lines().join('\n')).toMatch(/talos00 +#+=.*93%/)
    top.type('a')
    await top.said(/This view only reads/)
    top.type('\r')
    await top.said(/4 nodes: Enter looks into one/)
    top.type('\r')
    await top.said(/talos00: 59 pods, the largest first/)
    top.type('q')
    await vi.waitUntil(() => !screen().isAlternate, { timeout: 120_000, interval: 50 })
    expect(screen().hasCursor).toBe(true)
  })

  // biome-ignore format: a table
  test.each([
    // args                                                     says
    [['--sort', 'shoe'],                                        /must be one of name, cpu, cpu-used/],
    [['--resource', 'cpu,disk'],                                /must be of cpu, memory, pods, watts/],
    [['--labels', 'a,,b'],                                      /names with commas between them/],
    [['-w'],                                                    /-w needs a live cluster/],
    [['--cluster', join('not', 'there')],                       /source-missing|not.there/],
  ])('%j is refused in words', async (args, says) => {
    const { code, words } = await runBallast(['top', '--cluster', example, ...args])
    expect(code).toBe(2)
    expect(words).toMatch(says)
  })
})

describe('dashboard', () => {
  test('of a dump shows it as it was, and has no actions', async () => {
    await using page = startBallast(['dashboard', '--cluster', example, '--port', '0'])
    const [, url = ''] = await page.said(
      /^Ballast {2}(http:\/\/127\.0\.0\.1:\d+\/) {2}\(.*talos-homelab as it was, 4 nodes, 124 pods, reading only\)$/m,
    )
    expect(await (await fetch(`${url}api/v1/overview`)).json()).toMatchObject({ mode: 'cluster', cluster: 'talos-homelab' })
    const answer = await fetch(`${url}api/v1/actions/replan`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'ballast-action': '1', origin: url.slice(0, -1) },
      body: '{"revision":"e1.1"}',
    })
    expect(answer.status).toBe(404)
    expect(await page.stop()).toBe(0)
  })

  test('of a live cluster is followed, and acts only when asked to', async () => {
    await using page = startBallast(['dashboard', '--kubeconfig', join(folder, 'kubeconfig'), '--port', '0', '--actions'])
    const [, url = ''] = await page.said(/^Ballast {2}(http:\S+) {2}\(https:\/\/127\.0\.0\.1:\d+, with your own rights\)$/m)
    await vi.waitUntil(
      async () => {
        const answer = await fetch(url, { headers: { accept: 'text/plain' } })
        return (await answer.text()).includes('4 nodes  124 pods')
      },
      { timeout: 120_000, interval: 100 },
    )
    const me = await (await fetch(`${url}api/v1/me`)).json()
    expect(me).toMatchObject({ name: 'local', can: { replan: { allowed: true } } })
    expect(await page.stop()).toBe(0)
  })

  test('a section that opens the door to everybody is refused', async () => {
    const config = join(folder, 'config.yaml')
    const head = 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n'
    writeFileSync(config, `${head}dashboard: {listen: "0.0.0.0:8080"}\n`)
    const { code, words } = await runBallast(['dashboard', '--cluster', example, '--config', config])
    expect({ code, words }).toEqual({ code: 2, words: expect.stringContaining('dashboard-exposed-without-auth') })
    const top = await runBallast(['top', '--cluster', example, '--config', config])
    expect(top.words).toContain('dashboard-exposed-without-auth')
  })
})
