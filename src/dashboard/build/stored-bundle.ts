// The bundle on disk: hashed files with their compressed forms, and `manifest.json`, which is written last.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

const fileName = z.string().regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.(js|css|svg)$/)

const manifestSchema = z.object({
  sourceHash: z.string(),
  /** What the first page loads. */
  entry: z.object({ script: fileName, styles: z.array(fileName), preload: z.array(fileName) }),
  /** What a file that holds a replay has in it. */
  replay: z.object({ script: fileName, styles: z.array(fileName) }),
  files: z.array(fileName),
  /** Whose code is in them besides ours: paths below node_modules, sorted. */
  packages: z.array(z.string()),
  /** Bytes as gzip sends them. */
  sizes: z.object({ firstScript: z.int(), scripts: z.int(), styles: z.int() }),
})

export type Manifest = z.infer<typeof manifestSchema>

export interface StoredFile {
  readonly type: string
  readonly body: Uint8Array
  /** The same, as `Content-Encoding` names it. */
  readonly brotli: Uint8Array
  readonly gzip: Uint8Array
}

export interface StoredBundle {
  readonly manifest: Manifest
  readonly files: ReadonlyMap<string, StoredFile>
}

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** The media type that goes with a name's ending. */
export const typeOf = (name: string): string => types[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream'

/** What lies in `folder`, if it is whole and, where `hash` is given, made from that; undefined otherwise. */
export function readStored(folder: string, hash: string | undefined): StoredBundle | undefined {
  try {
    const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')))
    if (hash !== undefined && manifest.sourceHash !== hash) return undefined
    const files = manifest.files.map((name): [string, StoredFile] => [
      name,
      {
        type: typeOf(name),
        body: readFileSync(join(folder, name)),
        brotli: readFileSync(join(folder, `${name}.br`)),
        gzip: readFileSync(join(folder, `${name}.gz`)),
      },
    ])
    return { manifest, files: new Map(files) }
  } catch {
    // None, a half one, or one of another version: all are built anew.
    return undefined
  }
}

/** Writes a bundle so that a reader sees it whole or not at all, and takes away what an earlier one left. @throws Error where it cannot be written */
export function writeStored(folder: string, { manifest, files }: StoredBundle): void {
  mkdirSync(folder, { recursive: true })
  for (const [name, { body, brotli, gzip }] of files) {
    place(folder, name, body)
    place(folder, `${name}.br`, brotli)
    place(folder, `${name}.gz`, gzip)
  }
  place(folder, 'manifest.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`))
  const kept = new Set(['manifest.json', ...manifest.files.flatMap(name => [name, `${name}.br`, `${name}.gz`])])
  for (const name of readdirSync(folder))
    if (!kept.has(name) && !name.endsWith('.part')) rmSync(join(folder, name), { force: true })
}

function place(folder: string, name: string, content: Uint8Array): void {
  const part = join(folder, `${name}.${process.pid}.part`)
  writeFileSync(part, content)
  renameSync(part, join(folder, name))
}
