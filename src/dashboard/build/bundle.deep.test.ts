// How the bundle comes to be: 3.13 of the specification, on small pages in folders of their own.
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '#kube/log.ts'
import { openBundle } from './bundle.ts'

const project = join(import.meta.dirname, '..', '..', '..')
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) {
    chmodSync(folder, 0o700)
    // A build in another thread may still be writing there.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }
})

const goodPage = `import { render } from 'preact'\nimport './a.css'\nrender(<p class="a">{import('./later.ts').then(String)}</p>, document.body)\n`

/** A clone with a page of a few lines, and the packages of this one. */
function clone(page = goodPage, options: { readonly packages?: boolean } = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'ballast-page-'))
  folders.push(root)
  const files: Readonly<Record<string, string>> = {
    'src/dashboard/web/main.tsx': page,
    'src/dashboard/web/replay-file.tsx': `import './a.css'\nimport { later } from './later.ts'\ndocument.title = String(later)\n`,
    'src/dashboard/web/later.ts': `export const later = 1\n`,
    'src/dashboard/web/a.css': `.a { color: light-dark(#000, #fff) }\n`,
    'src/dashboard/contract-names.ts': '',
    'src/kube/time/human-duration.ts': '',
    'src/dashboard/delta.ts': '',
    'src/dashboard/words/a.ts': '',
    'package.json': '{"type":"module"}',
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  cpSync(join(project, 'package-lock.json'), join(root, 'package-lock.json'))
  cpSync(import.meta.dirname, join(root, 'src/dashboard/build'), { recursive: true })
  if (options.packages !== false) symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'))
  return root
}

const cacheOf = (root: string) => join(root, 'cache')
const open = (root: string) => openBundle({ root, cacheDirectory: cacheOf(root), log: silentLog })

async function built(root: string) {
  const bundle = open(root)
  await bundle.ready
  expect(bundle.problem).toBeUndefined()
  return bundle
}

describe('a clone without a bundle', () => {
  test('has its looks at once, its script when it is built, and both compressed', async () => {
    const root = clone()
    const bundle = open(root)
    expect(bundle.state).toBe('building')
    const plain = bundle.entry()
    expect(plain?.script).toBeUndefined()
    expect(String(bundle.file(plain?.styles[0]?.slice('/assets/'.length) ?? '')?.body)).toContain('light-dark(')
    await bundle.ready
    expect([bundle.state, bundle.problem]).toEqual(['ready', undefined])
    expect(bundle.replayParts()).toEqual({
      script: expect.stringContaining('document.title'),
      styles: expect.stringContaining('light-dark('),
    })
    // All of it is in one script: there is nothing beside a file that is sent to somebody.
    expect(bundle.replayParts()?.script).not.toMatch(/\bimport\b/)
    const entry = bundle.entry()
    expect(entry?.script).toMatch(/^\/assets\/main-[\w-]{8}\.js$/)
    const script = bundle.file(entry?.script?.slice('/assets/'.length) ?? '')
    expect(script?.type).toBe('text/javascript; charset=utf-8')
    const body = Buffer.from(script?.body ?? [])
    expect(body.length).toBeGreaterThan(1000)
    expect(brotliDecompressSync(script?.brotli ?? Buffer.alloc(0)).equals(body)).toBe(true)
    expect(gunzipSync(script?.gzip ?? Buffer.alloc(0)).equals(body)).toBe(true)
    const style = bundle.file(entry?.styles[0]?.slice('/assets/'.length) ?? '')
    expect(String(style?.body)).toContain('light-dark(')
  })

  test('has it at once the next time', async () => {
    const root = clone()
    const first = await built(root)
    const second = open(root)
    expect(second.state).toBe('ready')
    expect(second.entry()).toEqual(first.entry())
  })

  test('builds again when a source has changed, and leaves nothing of before', async () => {
    const root = clone()
    const before = (await built(root)).entry()
    writeFileSync(join(root, 'src/dashboard/web/a.css'), '.a { color: red }\n')
    const bundle = open(root)
    expect(bundle.state).toBe('building')
    await bundle.ready
    expect(bundle.entry()?.styles).not.toEqual(before?.styles)
    const manifest: { files: string[] } = JSON.parse(readFileSync(join(root, 'dist/web/manifest.json'), 'utf8'))
    expect(manifest.files).not.toContain(before?.styles[0]?.slice('/assets/'.length))
  })

  test('a test beside the sources changes nothing', async () => {
    const root = clone()
    await built(root)
    writeFileSync(join(root, 'src/dashboard/web/a.test.ts'), 'export {}\n')
    expect(open(root).state).toBe('ready')
  })

  test('a bundle that was cut off is built again', async () => {
    const root = clone()
    const bundle = await built(root)
    rmSync(join(root, 'dist/web', `${bundle.entry()?.script?.slice('/assets/'.length)}.br`))
    expect(open(root).state).toBe('building')
    await open(root).ready
  })
})

describe('where it cannot be built', () => {
  test('the compiler says what is wrong, with the file', async () => {
    const bundle = open(clone('export const a = <p>\n'))
    await bundle.ready
    expect([bundle.state, bundle.problem?.code]).toEqual(['failed', 'dashboard-not-built'])
    expect(bundle.problem?.message).toContain('main.tsx')
    expect(bundle.entry()?.styles).toHaveLength(1)
  })

  test('a page that is too large is a failure', async () => {
    const noise = Array.from({ length: 30_000 }, (_, index) => ((index * 2_654_435_761) % 4_294_967_296).toString(36)).join('')
    const bundle = open(clone(`document.title = ${JSON.stringify(noise)}\n`))
    await bundle.ready
    expect(bundle.problem?.message).toMatch(/the first page loads \d+ bytes \(gzip\), and may have 61440/)
  })

  test('without the build tool the remedy is to install', () => {
    const bundle = open(clone(goodPage, { packages: false }))
    expect([bundle.state, bundle.problem?.code, bundle.problem?.remedy]).toEqual(['failed', 'dashboard-not-built', 'npm install'])
  })

  test('a folder that is neither a clone nor has a bundle says so', () => {
    const root = mkdtempSync(join(tmpdir(), 'ballast-page-'))
    folders.push(root)
    expect(open(root).problem?.message).toBe('The page was not built into this installation.')
  })

  test('an installation that has a bundle and no sources shows it', async () => {
    const root = clone()
    await built(root)
    rmSync(join(root, 'src'), { recursive: true })
    expect(open(root).state).toBe('ready')
  })

  test('a clone that cannot be written to keeps it in the cache', async () => {
    const root = clone()
    // A file where the folder should be refuses root too.
    writeFileSync(join(root, 'dist'), '')
    const bundle = await built(root)
    expect(bundle.state).toBe('ready')
    expect(open(root).state).toBe('ready')
  })
})
