// The bundle away from the repository: it starts, finds its data and its solver's process, and is the same however it was made.

import { fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bundle, bundle, writeBundle } from './bundle.ts'
import { digestOf } from './layer.ts'

const root = join(import.meta.dirname, '..', '..')

/** Names of what a file of the bundle imports at once, and what that imports, and so on. */
function importedBy({ files }: Bundle, name: string, found: Set<string> = new Set()): ReadonlySet<string> {
  if (found.has(name)) return found
  found.add(name)
  const text = Buffer.from(files.get(name) ?? []).toString('latin1')
  for (const [, imported = ''] of text.matchAll(/^import .*["']\.\/([^"']+)["'];?$/gm))
    importedBy({ files, packages: [] }, imported, found)
  return found
}

describe('the bundle', () => {
  let made: Bundle
  let directory = ''

  beforeAll(async () => {
    made = await bundle(root)
    directory = mkdtempSync(join(tmpdir(), 'ballast-bundle-'))
    writeBundle(made, directory)
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const run = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(directory, 'ballast.mjs'), ...args], {
      cwd: directory,
      encoding: 'utf8',
      env: { NO_COLOR: '1' },
    })
    expect(stderr).not.toMatch(/Error:/)
    return { status, stdout }
  }

  test('plans as the program in the repository does, with the solver in its own process', () => {
    const cluster = join(root, 'examples', 'talos-homelab')
    const { status, stdout } = run('plan', '--cluster', cluster)
    expect(status).toBe(0)
    expect(stdout).toMatch(/^15 moves; no plan that keeps the margins has fewer \(relaxation: 14\.\d+\)$/m)
  })

  test('brings the example and the descriptions of fields', () => {
    expect(run('up', '--once', '-o', 'json').status).toBe(0)
    expect([...made.files.keys()]).toContain('assets/descriptions.json')
  })

  test('shows the page that it brings, and writes nothing beside it', async () => {
    const before = readdirSync(directory, { recursive: true }).toSorted()
    const cluster = join(root, 'examples', 'talos-homelab')
    const child = spawn(process.execPath, [join(directory, 'ballast.mjs'), 'dashboard', '--cluster', cluster, '--port', '0'], {
      cwd: directory,
      env: { NO_COLOR: '1', HOME: join(directory, 'nowhere') },
    })
    const ended = once(child, 'close')
    try {
      const [line]: unknown[] = await once(child.stdout.setEncoding('utf8'), 'data')
      const url = /http:\/\/[\d.:]+\//.exec(String(line))?.[0] ?? ''
      const html = await (await fetch(url)).text()
      expect(html).toContain('talos03')
      const assets = new Set(html.match(/assets\/[\w.-]+/g))
      expect(assets.size).toBeGreaterThan(1)
      for (const name of assets) {
        const asset = await fetch(new URL(name, url))
        expect([asset.status, asset.headers.get('cache-control')], name).toEqual([200, expect.stringContaining('immutable')])
        expect(await asset.text()).not.toBe('')
      }
    } finally {
      child.kill('SIGTERM')
      await ended
    }
    expect(readdirSync(directory, { recursive: true }).toSorted()).toEqual(before)
  })

  test('names the packages that are in the page, brings no source of it and not what builds it', () => {
    expect(made.packages).toEqual(expect.arrayContaining(['@preact/signals', '@preact/signals-core', 'preact', 'undici']))
    expect(made.packages).not.toContain('vite')
    expect([...made.files.keys()].filter(name => name.endsWith('.tsx') || name.startsWith('assets/src'))).toEqual([])
  })

  // Words that of all the program only what is named has in its source.
  test.each([
    ['the twin', 'descriptions.json'],
    ['the page', 'ballast_dashboard_streams'],
  ])('carries nothing of %s into the controller', (_, words) => {
    const { status, stdout } = run('controller', '--help')
    expect(status).toBe(0)
    expect(stdout).toContain('--kubeconfig')
    const loaded = importedBy(made, 'controller-command.mjs')
    expect(loaded.size).toBeGreaterThan(10)
    const holders = [...made.files].filter(([name, content]) => name.endsWith('.mjs') && Buffer.from(content).includes(words))
    expect(holders.length).toBeGreaterThan(0)
    expect(holders.map(([name]) => name).filter(name => loaded.has(name))).toEqual([])
  })

  // What reads settings stays behind with the command line; a node part of NFS loads what asks the API server when it has something to say.
  // biome-ignore format: a table
  test.each<readonly [whose: string, first: string, more: readonly string[], lazily: readonly string[], besides: readonly string[]]>([
    ['a mirror',           'mirror-process.mjs',   ['agent.mjs', 'prefetch-puller.mjs'], [],              []],
    ['a node part of NFS', 'nfs-node-process.mjs', [],                                   ['connect.mjs'], ['events are given up', 'current-context']],
  ])('carries into the process of %s nothing that reads settings', (_whose, first, more, lazily, besides) => {
    const textOf = (name: string) => Buffer.from(made.files.get(name) ?? []).toString('latin1')
    const later = [...textOf(first).matchAll(/import\("\.\/([^"]+)"\)/g)].map(([, name = '']) => name)
    for (const name of lazily) expect(later).toContain(name)
    const names = [first, ...later.filter(name => !lazily.includes(name)), ...more]
    const loaded = [...new Set(names.flatMap(name => [...importedBy(made, name)]))]
    expect(loaded.length).toBeGreaterThan(30)
    for (const words of ['CommanderError', 'ZodString', 'class RE2JS ', 'YAMLParseError', ...besides]) {
      expect([...made.files.keys()].filter(name => name.endsWith('.mjs') && textOf(name).includes(words))).not.toEqual([])
      expect(loaded.filter(name => textOf(name).includes(words))).toEqual([])
    }
  })

  test('brings the process that works on files of shares, which loads a work when it is asked for it', async () => {
    const child = fork(join(directory, 'file-work-process.mjs'), [], { env: {}, execArgv: [] })
    const ended = once(child, 'close')
    try {
      child.send({ kind: 'list', root: directory, path: '', limit: 1_000 })
      const [{ kind, result }] = await once(child, 'message')
      expect([kind, result.isWhole]).toEqual(['result', true])
      expect(result.entries.map(({ name }: { readonly name: string }) => name)).toContain('ballast.mjs')
    } finally {
      child.kill('SIGKILL')
      await ended
    }
    // A process that looks at a path carries nothing of archives.
    const loaded = [...importedBy(made, 'file-work-process.mjs')]
    expect(loaded.some(name => Buffer.from(made.files.get(name) ?? []).includes('createGzip'))).toBe(false)
  })

  test('is one byte a character, so that it is kept as one', () => {
    for (const [name, content] of made.files)
      if (name.endsWith('.mjs'))
        expect(
          content.every(byte => byte < 0x80),
          name,
        ).toBe(true)
  })

  test('is the same from another folder, zone and umask', () => {
    const program = `
      import { bundle } from ${JSON.stringify(join(import.meta.dirname, 'bundle.ts'))}
      import { digestOf } from ${JSON.stringify(join(import.meta.dirname, 'layer.ts'))}
      process.umask(0o077)
      const { files } = await bundle(${JSON.stringify(root)})
      console.log(JSON.stringify([...files].map(([name, content]) => [name, digestOf(content)])))`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', program], {
      cwd: tmpdir(),
      encoding: 'utf8',
      env: { TZ: 'Pacific/Kiritimati', LC_ALL: 'C' },
    })
    expect(stdout, stderr).not.toBe('')
    expect(JSON.parse(stdout)).toEqual([...made.files].map(([name, content]) => [name, digestOf(content)]))
  })
})
