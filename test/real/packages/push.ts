// The folder of artefacts pushed into real registries, and read there by the programs that people have: cosign, oras, skopeo, Helm.
import { deepStrictEqual, match, notStrictEqual, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Check } from '../check.ts'
import { programPath } from '../control-plane/debian.ts'
import { imageTool } from '../image/tools.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { killedPushes, publishedBy, pushWords } from './killed-pushes.ts'
import { listOf, ownRelease, temporaryFolder } from './own-release.ts'
import { dockerRegistry, listingRegistry, type RealRegistry } from './registries.ts'

export const pushChecks: readonly Check[] = [
  { name: 'packages: pushed into docker-registry, cosign, oras, skopeo and Helm read it', run: () => readBack(dockerRegistry) },
  { name: 'packages: pushed into a registry that lists referrers, they read it too', run: () => readBack(listingRegistry) },
  { name: 'packages: a push killed at its requests is gone on with, and the tags come last', run: killedPushes },
]

const publicKey = join(publishedBy, 'cosign-3.1.1.pub')
const otherKey = join(publishedBy, 'cosign-2.5.0.pub')
/** What cosign prints; of a statement about many things it names the first, which may be another. */
const digestsOf = z.array(z.object({ critical: z.object({ image: z.object({ 'docker-manifest-digest': z.string() }) }) }))
const digest = /@(?<digest>sha256:[0-9a-f]{64})$/gm

async function push(folder: string, { host, environment }: RealRegistry): Promise<readonly [image: string, chart: string]> {
  const env = { ...environment, COSIGN_PASSWORD: 'ballast-test' }
  const said = await commandOutput(process.execPath, pushWords(folder, host), { env })
  const [image = '', chart = ''] = [...said.matchAll(digest)].map(({ groups }) => groups?.['digest'] ?? '')
  return [image, chart]
}

async function readBack(start: () => Promise<RealRegistry>): Promise<string> {
  const folder = await ownRelease()
  const { version } = listOf(folder)
  await using registry = await start()
  const { host, environment: env } = registry
  // Nobody may push without a password, where one is asked for.
  const stranger = await runCommand(process.execPath, pushWords(folder, host), {
    env: { DOCKER_CONFIG: folder, COSIGN_PASSWORD: 'ballast-test' },
  })
  if (start === dockerRegistry) match(stranger.stderr, /wants a user and a password.*log in/)
  const [image, chart] = await push(folder, registry)
  deepStrictEqual(await push(folder, registry), [image, chart])

  const older = await programPath('trixie', 'cosign', 'usr/bin/cosign')
  const cosigns = [older, (await imageTool('cosign')).path]
  const parts = [
    [`${host}/team/ballast:${version}`, image],
    [`${host}/team/charts/ballast:${version}`, chart],
  ] as const
  const common = ['--insecure-ignore-tlog', '--allow-http-registry']
  for (const [reference, expected] of parts) {
    for (const cosign of cosigns) {
      for (const form of ['--new-bundle-format=false', '--new-bundle-format=true']) {
        const seen = await commandOutput(cosign, ['verify', '--key', publicKey, form, ...common, reference], { env })
        const digests = digestsOf.parse(JSON.parse(seen)).map(({ critical }) => critical.image['docker-manifest-digest'])
        strictEqual(digests.includes(expected), true, seen)
        const wrong = await runCommand(cosign, ['verify', '--key', otherKey, form, ...common, reference], { env })
        match(wrong.stderr, /signature|key|verif/i)
        notStrictEqual(wrong.code, 0, 'a key that signed nothing is believed')
        // This one wants a network for it, with a key too.
        if (cosign === older && form.endsWith('true')) continue
        const type = ['--type', 'slsaprovenance1']
        const told = await commandOutput(
          cosign,
          ['verify-attestation', '--key', publicKey, form, ...type, ...common, reference],
          {
            env,
          },
        )
        const { payload } = JSON.parse(told.trim().split('\n')[0] ?? '')
        strictEqual(
          Buffer.from(payload, 'base64').toString('utf8'),
          readFileSync(join(folder, `ballast-${version}.provenance.json`), 'utf8'),
        )
      }
    }
    const { path: oras } = await imageTool('oras')
    const list = JSON.parse(await commandOutput(oras, ['discover', '--plain-http', '--format', 'json', reference], { env }))
    // Twice pushed, and signed once: bill of materials, provenance, and two bundles.
    strictEqual((list.referrers ?? list.manifests).length, 4)
  }
  const skopeo = await imageTool('skopeo')
  for (const architecture of ['amd64', 'arm64']) {
    const choose = ['--override-os', 'linux', '--override-arch', architecture]
    const inspect = [...choose, 'inspect', '--tls-verify=false', `docker://${host}/team/ballast:${version}`]
    const seen = JSON.parse(await commandOutput(skopeo.path, inspect, { env: { ...env, ...skopeo.environment } }))
    deepStrictEqual([seen.Architecture, seen.Labels['org.opencontainers.image.version']], [architecture, version])
  }
  const helm = await upstreamPath('helm')
  const pulled = temporaryFolder()
  const pull = ['pull', `oci://${host}/team/charts/ballast`, '--version', version, '--plain-http', '--destination', pulled]
  await commandOutput(helm, pull, { env })
  const name = `ballast-${version}.tgz`
  deepStrictEqual(readFileSync(join(pulled, name)), readFileSync(join(folder, name)))
  return 'image and chart: signatures hold for cosign 2.5 and 3.1 in both forms, provenance in both for 3.1; a second push added nothing'
}
