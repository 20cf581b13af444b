// What the init container of the mirror's DaemonSet does with the configuration that our manifests give it.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mirror } from '#capabilities/mirror'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { silentLog } from '#kube/log.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import { writeHosts } from '../src/capabilities/mirror/commands/write-hosts.ts'
import { readAgentConfiguration } from '../src/process/agent/agent-configuration.ts'
import { enabledCapabilities as capabilities } from '../src/process/enabled-capabilities.ts'

/** The file that the DaemonSet mounts. */
function mountedConfiguration(set: readonly string[]): string {
  const values = installationValues({ enable: ['mirror'], set }, capabilities)
  const made = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') })
  const found = made.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'ballast-config' && metadata.namespace === 'ballast-agent',
  )
  return textAt(found, 'data', 'config.yaml') ?? ''
}

const earlier = "server = 'https://ghcr.io'\n\n[host.'https://cache.example']\ncapabilities = ['pull']\n"

/** What the hosts files say after it ran on a node with one of somebody's own. */
async function written(set: readonly string[]): Promise<(path: string) => Promise<string>> {
  const directory = await mkdtemp(join(tmpdir(), 'ballast-hosts-'))
  try {
    const registryPath = join(directory, 'certs.d')
    const own = join(registryPath, 'ghcr.io/hosts.toml')
    await mkdir(dirname(own), { recursive: true })
    await writeFile(own, earlier)
    const file = join(directory, 'config.yaml')
    await writeFile(file, mountedConfiguration([...set, `capabilities.mirror.containerdRegistryConfigPath=${registryPath}`]))
    const { sections } = readAgentConfiguration(file, { mirror: mirror.config })
    const environment = { NODE_IP: '10.0.0.7', BALLAST_BASIC_AUTH_DIR: join(directory, 'none') }
    await writeHosts(sections['mirror'], { environment, log: silentLog })
    const texts = new Map<string, string>()
    for (const path of ['_default/hosts.toml', 'ghcr.io/hosts.toml', '_backup/ghcr.io/hosts.toml'])
      texts.set(path, await readFile(join(registryPath, path), 'utf8').catch(() => 'none'))
    return async path => texts.get(path) ?? ''
  } finally {
    await rm(directory, { recursive: true })
  }
}

const ours = "[host.'http://10.0.0.7:29999']"

describe("the init container, on a node with somebody's own hosts file", () => {
  test('keeps it after ours unless told otherwise (2.5: prepend is the default)', async () => {
    const read = await written([])
    expect(await read('_default/hosts.toml')).toContain(ours)
    const kept = await read('ghcr.io/hosts.toml')
    expect(kept.indexOf(ours)).toBeGreaterThan(0)
    expect(kept.indexOf("[host.'https://cache.example']")).toBeGreaterThan(kept.indexOf(ours))
    expect(kept).toContain("server = 'https://ghcr.io'")
    expect(await read('_backup/ghcr.io/hosts.toml')).toBe(earlier)
  })

  test('with replace it waits in the backup', async () => {
    const read = await written(['capabilities.mirror.nodeConfiguration.existing=replace'])
    expect(await read('_default/hosts.toml')).toContain(ours)
    expect(await read('ghcr.io/hosts.toml')).toBe('none')
    expect(await read('_backup/ghcr.io/hosts.toml')).toBe(earlier)
  })
})
