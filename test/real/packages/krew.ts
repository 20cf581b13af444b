// The plug-in as krew's users take it: krew's own check of the manifest, and krew itself, with the archives of a release.
import { deepStrictEqual, match, notStrictEqual, ok, strictEqual } from 'node:assert'
import { createReadStream, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import { kubectlPath } from '../control-plane/debian.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { listOf, ownRelease, temporaryFolder } from './own-release.ts'

/** Installs from the archive that lies here, for each platform from a server, and tries an archive that krew does not unpack. */
export async function krewInstalls(): Promise<string> {
  const release = await ownRelease()
  const { artefacts, version } = listOf(release)
  const archives = artefacts.filter(({ kind }) => kind === 'krew-archive')
  deepStrictEqual(archives.map(({ platform }) => platform).toSorted(), ['linux/amd64', 'linux/arm64'])
  const folder = temporaryFolder()
  const programs = join(folder, 'programs')
  mkdirSync(programs)
  symlinkSync(await kubectlPath('newest'), join(programs, 'kubectl'))
  symlinkSync(await upstreamPath('krew'), join(programs, 'kubectl-krew'))
  const krewRoot = join(folder, 'krew')
  const env = { HOME: join(folder, 'home'), KREW_ROOT: krewRoot, KUBECONFIG: '', PATH: `${join(krewRoot, 'bin')}:${programs}` }
  const manifest = join(release, 'ballast.yaml')
  const install = (archive: string) =>
    runCommand('kubectl', ['krew', 'install', '--manifest', manifest, '--archive', join(release, archive)], { env })

  // Links are what the archives are made without.
  const linked = await install(`ballast-${version}-linux-amd64.tar.gz`)
  notStrictEqual(linked.code, 0)
  const done = await install(`ballast-${version}-krew-linux-amd64.tar.gz`)
  strictEqual(done.code, 0, done.stderr)
  // Listing and removing want an index, which comes by the network.
  ok(existsSync(join(krewRoot, 'receipts', 'ballast.yaml')))
  match(await commandOutput('kubectl', ['ballast', 'plan', '--help'], { env }), /^Usage: kubectl ballast plan /)
  const said = JSON.parse(await commandOutput('kubectl', ['ballast', 'version', '--client', '-o', 'json'], { env }))
  strictEqual(said.clientVersion.packedAs, 'executable')

  await validated(release, archives, folder, programs)
  const megabytes = archives.map(({ bytes = 0 }) => `${(bytes / 1e6).toFixed(0)} MB`).join(' and ')
  return `installed and run; krew's own check installed both platforms from a server (${megabytes})`
}

type Archives = ReturnType<typeof listOf>['artefacts']

/** krew's own check installs each platform. What it fetches lies on no server yet, so that the addresses alone are changed. */
async function validated(release: string, archives: Archives, folder: string, programs: string): Promise<void> {
  const server = createServer(({ url = '' }, response) => {
    const { name } = archives.find(one => url === `/${one.name}`) ?? {}
    if (name === undefined) response.writeHead(404).end()
    else createReadStream(join(release, name)).pipe(response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    const address: AddressInfo | string | null = server.address()
    if (address === null || typeof address === 'string') throw new Error('the server has no port')
    const text = readFileSync(join(release, 'ballast.yaml'), 'utf8')
    const here = text.replaceAll(/uri: (.+)$/gm, (_, uri: string) => `uri: http://127.0.0.1:${address.port}/${basename(uri)}`)
    const copy = join(folder, 'ballast.yaml')
    const validate = async (manifest: string) => {
      writeFileSync(copy, manifest)
      const program = await upstreamPath('validate-krew-manifest')
      return await runCommand(program, ['-manifest', copy], { env: { PATH: programs, TMPDIR: folder } })
    }
    const seen = await validate(here)
    strictEqual(seen.code, 0, seen.stderr)
    match(seen.stderr, /all 2 spec\.platforms installed fine/)
    // It would have said so.
    const other = await validate(here.replace(/sha256: ./, 'sha256: x'))
    notStrictEqual(other.code, 0)
    match(other.stderr, /sha256/)
  } finally {
    server.close()
  }
}
