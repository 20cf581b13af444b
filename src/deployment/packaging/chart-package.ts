// A chart as one file, the same bytes for the same chart: what `helm install` and registries take.
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

/** In seconds since 1970; 0 is refused by some tools that unpack. */
const earliest = 315_532_800
const systemByte = 9
const unknownSystem = 255

/** The gzipped tar file of `files` below the folder `name`; `time` (seconds) is that of every entry. */
export async function packChart(name: string, files: ReadonlyMap<string, string>, time = earliest): Promise<Buffer> {
  const tar = pack()
  // Helm wants Chart.yaml first where it reads a stream only as far as it must.
  const inOrder = [...files].sort(([a], [b]) => (a === 'Chart.yaml' ? -1 : b === 'Chart.yaml' ? 1 : a < b ? -1 : 1))
  for (const [path, text] of inOrder) {
    const header = { name: `${name}/${path}`, mode: 0o644, uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(time * 1_000) }
    tar.entry(header, text)
  }
  tar.finalize()
  const zipped = gzipSync(await buffer(tar), { level: 9 })
  zipped[systemByte] = unknownSystem
  return zipped
}
