// `npm run push`: a folder of artefacts into a registry, image and chart with bills of materials, provenance and, where a key is given, signatures.
//   npm run push -- --from <directory> --to oci://HOST[:PORT][/PATH] [--key <file>] [--plain-http] [--replace-tags]
// Docker's configuration file says who we are; COSIGN_PASSWORD opens the key. What was broken off is gone on with by the same command.
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { credentialsFor } from './credentials.ts'
import { pushRelease } from './push-release.ts'
import { RegistryConnection } from './registry-connection.ts'
import { readSigningKey } from './signing-key.ts'
import { targetOf } from './target.ts'

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      key: { type: 'string' },
      'plain-http': { type: 'boolean', default: false },
      'replace-tags': { type: 'boolean', default: false },
    },
  })
  const { from, to, key: keyPath } = values
  if (from === undefined || to === undefined) {
    console.error('push: name the folder and where it goes: npm run push -- --from DIRECTORY --to oci://HOST/PATH')
    return 2
  }
  const say = (line: string) => console.error(`push: ${line}`)
  const target = targetOf(to, values['plain-http'])
  const key = keyPath === undefined ? undefined : readSigningKey(keyPath, process.env['COSIGN_PASSWORD'])
  const credentials = credentialsFor(target.registry, process.env)
  const connection = new RegistryConnection({ origin: target.origin, credentials, wait: pause, say })
  const { image, chart } = await pushRelease({
    ...{ folder: resolve(from), target, connection, key, say },
    replacesTags: values['replace-tags'],
  })
  for (const { reference, digest } of [image, chart]) console.log(`${reference}@${digest}`)
  if (key === undefined) say('nothing is signed: no --key was given')
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  // What a person can do something about has its words; the way to it helps nobody.
  console.error(`push: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
