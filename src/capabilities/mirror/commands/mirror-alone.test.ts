import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { mirrorConfiguration } from '../config.ts'
import type { MirrorSettings } from '../settings.ts'
import { settingsOf } from '../settings-of.ts'
import { type KnownMirror, knownSettings, mirrorAlone } from './mirror-alone.ts'

const standard = settingsOf(mirrorConfiguration.parse({}))
const password = 'a password'

async function secretDirectory(): Promise<string> {
  const directory = join(await temporaryDirectory(), 'basic-auth')
  mkdirSync(directory)
  for (const [name, text] of Object.entries({ username: 'me', password })) writeFileSync(join(directory, name), text)
  return directory
}

/** As the next program gets it. */
function handed(settings: MirrorSettings): { readonly text: string; readonly known: KnownMirror } {
  const text = JSON.stringify(mirrorAlone(settings, '/run/record.json').knows)
  return { text, known: JSON.parse(text) }
}

/** Patterns by what they say: each is made anew. */
const comparable = ({ filters, ...rest }: MirrorSettings) => ({
  ...rest,
  filters: { ...filters, patterns: filters.patterns.map(({ source }) => source) },
})

// biome-ignore format: a table
const handedOver: readonly (readonly [what: string, settings: MirrorSettings])[] = [
  ['all as it is without a configuration', standard],
  ['what is left out', settingsOf(mirrorConfiguration.parse({ registries: ['https://ghcr.io', 'http://registry.test:5000'], filters: [':latest$', '^ghcr\\.io/'] }))],
  ['a place', settingsOf(mirrorConfiguration.parse({ uploadLimit: '10Mi', allowFrom: ['10.0.0.0/8'] }), { nodeAddress: 'fd00::1', zone: 'a', peerCertificateDirectory: '/tls', peersFile: '/peers' })],
]

describe('the process of a mirror alone', () => {
  test.each(handedOver)('works by the same settings: %s', async (_what, settings) => {
    const { known } = handed(settings)
    expect(known.hostsRecord).toBe('/run/record.json')
    expect(comparable(await knownSettings(known.settings, {}))).toEqual(comparable(settings))
  })

  test('reads the password again from its file and is never told it', async () => {
    const directory = await secretDirectory()
    const basicAuth = { username: 'me', password }
    const { text, known } = handed({ ...standard, basicAuth })
    expect(text).not.toContain(password)
    expect(await knownSettings(known.settings, { BALLAST_BASIC_AUTH_DIR: directory })).toMatchObject({ basicAuth })
  })

  test('lets nobody in where the password is gone meanwhile', async () => {
    const { known } = handed({ ...standard, basicAuth: { username: 'me', password } })
    const nowhere = { BALLAST_BASIC_AUTH_DIR: join(await temporaryDirectory(), 'gone') }
    await expect(knownSettings(known.settings, nowhere)).rejects.toThrow('are gone')
  })
})
