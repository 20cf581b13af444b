// The folder of artefacts, and each form of the command taken out of it as people take it.
import { deepStrictEqual, match, strictEqual } from 'node:assert'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { PartUnavailable } from '../cache.ts'
import type { Check } from '../check.ts'
import { programPath } from '../control-plane/debian.ts'
import { unpackedArchive } from '../image/arm64.ts'
import { needPrograms } from '../machine-programs.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { installingChecks } from './installing/life.ts'
import { krewInstalls } from './krew.ts'
import { listOf, ownExecutable, ownRelease, temporaryFolder } from './own-release.ts'
import { pushChecks } from './push.ts'
import { bashCompletes, fishCompletes, kubectlCompletes, zshCompletes } from './shells.ts'

export const packageChecks: readonly Check[] = [
  { name: 'packages: the folder of artefacts is whole, and its sums hold', run: wholeFolder },
  { name: 'packages: npx runs the npm package where no network is', run: npmWithoutNetwork },
  { name: 'packages: the executable runs where no network is', run: executableWithoutNetwork },
  { name: 'packages: the executable for arm64 answers, by qemu-user', run: executableOfArm64 },
  { name: 'packages: bash completes what is typed', run: bashCompletes },
  { name: 'packages: zsh completes what is typed', run: zshCompletes },
  { name: 'packages: fish completes what is typed', run: fishCompletes },
  { name: 'packages: kubectl runs the plug-in and completes it', run: kubectlCompletes },
  { name: 'packages: krew installs the plug-in, and its own check takes the manifest', run: krewInstalls },
  ...pushChecks,
  ...installingChecks,
  { name: 'packages: actionlint takes the workflow of releases', run: workflows },
]

async function wholeFolder(): Promise<string> {
  const folder = await ownRelease()
  const { artefacts } = listOf(folder)
  const kinds = new Map<string, number>()
  for (const { kind } of artefacts) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  deepStrictEqual(Object.fromEntries([...kinds].toSorted()), {
    'bill-of-materials': 4,
    chart: 1,
    completion: 4,
    definitions: 1,
    executable: 2,
    'image-archive': 2,
    'image-layout': 1,
    'krew-archive': 2,
    'krew-manifest': 1,
    kustomize: 1,
    manifests: 1,
    'npm-package': 1,
    provenance: 1,
    site: 1,
  })
  const said = await commandOutput('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder })
  const counted = artefacts.filter(({ sha256 }) => sha256 !== undefined)
  strictEqual(said.trim().split('\n').length, counted.length)
  // A folder that has something in it is not written to.
  const root = join(import.meta.dirname, '..', '..', '..')
  const again = await runCommand(process.execPath, [join(root, 'scripts', 'release', 'main.ts'), '--out', folder])
  strictEqual(again.code, 2)
  match(again.stderr, /is not empty/)
  const megabytes = counted.reduce((sum, { bytes = 0 }) => sum + bytes, 0) / 1e6
  return `${artefacts.length} artefacts, ${megabytes.toFixed(0)} MB beside the image's layout`
}

/** What `without-network.ts` saw of the command, in a namespace of its own. */
async function aloneWith(
  folder: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  await needPrograms('ip')
  if ((await runCommand('unshare', ['--net', 'true'])).code !== 0)
    throw new PartUnavailable('network namespaces cannot be made here: that takes root')
  const program = join(import.meta.dirname, 'without-network.ts')
  const words = ['--net', process.execPath, '--disable-warning=ExperimentalWarning', program, folder, ...command]
  const seen = JSON.parse(await commandOutput('unshare', words, { env }))
  match(seen.version.serverVersion.kubernetes, /^v1\.\d+/)
  const { packedAs, nodeVersion } = seen.version.clientVersion
  return `${packedAs}, Node ${nodeVersion}: a page of ${seen.page} bytes with ${seen.assets} files, and the API server`
}

async function npmWithoutNetwork(): Promise<string> {
  const release = await ownRelease()
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'package.json'), '{}')
  const archive = join(release, `ballast-${listOf(release).version}-npm.tgz`)
  const env = {
    HOME: join(folder, 'home'),
    // Node 24, which the package takes where it is there.
    PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
  }
  await commandOutput('unshare', ['--net', 'npm', 'install', archive, '--offline', '--no-audit', '--no-fund'], {
    cwd: folder,
    env,
  })
  return await aloneWith(folder, ['npx', '--offline', 'ballast'], env)
}

async function executableWithoutNetwork(): Promise<string> {
  const program = await ownExecutable('amd64')
  const folder = temporaryFolder()
  return await aloneWith(folder, [program], { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' })
}

async function workflows(): Promise<string> {
  const actionlint = await upstreamPath('actionlint')
  const folder = join(import.meta.dirname, '..', '..', '..', '.github', 'workflows')
  const names = readdirSync(folder)
  for (const name of names) {
    const text = readFileSync(join(folder, name), 'utf8')
    const lint = (input: string) => runCommand(actionlint, ['-no-color', '-shellcheck=', '-pyflakes=', '-'], { input })
    const seen = await lint(text)
    strictEqual(seen.code, 0, `${name}: ${seen.stdout}${seen.stderr}`)
    // It would have said so.
    match((await lint(text.replace('needs: build', 'needs: nothing'))).stdout, /needs job "nothing"/)
  }
  return `${names.join(', ')}; shell scripts inside are not looked at`
}

/** It is run by an emulator, which cannot start what it starts: what needs a process of its own is not tried. */
async function executableOfArm64(): Promise<string> {
  const emulator = await programPath('trixie', 'qemu-user', 'usr/bin/qemu-aarch64')
  const program = await ownExecutable('arm64')
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'image'))
  // The loader and the libraries are the image's.
  const release = await ownRelease()
  const archive = join(release, 'image', `ballast-${listOf(release).version}-linux-arm64.tar`)
  const libraries = await unpackedArchive(archive, join(folder, 'image'))
  const run = async (...words: readonly string[]) => {
    const env = { HOME: join(folder, 'home'), KUBECONFIG: '' }
    const { code, stdout, stderr } = await runCommand(emulator, ['-L', libraries, program, ...words], { cwd: folder, env })
    // 3 is the code of `look` where something is to be mended.
    strictEqual(code, words[0] === 'look' ? 3 : 0, stderr)
    return stdout
  }
  const { clientVersion } = JSON.parse(await run('version', '-o', 'json'))
  deepStrictEqual([clientVersion.platform, clientVersion.packedAs], ['linux/arm64', 'executable'])
  match(await run('look', '--cluster', 'examples/media-homelab'), /^Who is here$/m)
  match(await run('__complete', 'plan', '-o', 'j'), /^json\n:4$/m)
  return `Node ${clientVersion.nodeVersion}: version, a look at an example, completion`
}
