// Who we are to a registry: what `docker login`, `helm registry login` or a credential helper left in docker's configuration file.
import { spawnSync } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { readIfThere } from '../image/kept-file.ts'

export type Credentials =
  | { readonly user: string; readonly password: string }
  /** Exchanged for a token where the registry says. */
  | { readonly identityToken: string }

const configuration = z.looseObject({
  auths: z
    .record(
      z.string(),
      z.looseObject({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
      }),
    )
    .optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
})
const helperAnswer = z.object({ Username: z.string(), Secret: z.string() })

/** What docker's helpers call a user whose secret is an identity token. */
const tokenUser = '<token>'

/**
 * The credentials for a registry (`ghcr.io`, `localhost:5000`), from `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
 * @returns undefined where the file knows none @throws Error naming a file that cannot be read, or a helper that fails
 */
export function credentialsFor(
  registry: string,
  environment: Readonly<Record<string, string | undefined>>,
): Credentials | undefined {
  const folder = environment['DOCKER_CONFIG'] ?? ''
  const path = join(folder === '' ? join(environment['HOME'] ?? homedir(), '.docker') : folder, 'config.json')
  const text = readIfThere(path)?.toString('utf8')
  if (text === undefined) return undefined
  const { auths = {}, credHelpers = {}, credsStore = '' } = parsed(path, text)
  const names = registry === 'docker.io' ? ['https://index.docker.io/v1/', 'index.docker.io', registry] : [registry]
  for (const name of names) {
    const helper = credHelpers[name] ?? ''
    if (helper !== '') return askHelper(helper, name)
  }
  const entry = Object.entries(auths).find(([name]) => names.includes(name) || names.includes(hostOf(name)))
  if (entry !== undefined) {
    const [name, { auth = '', username = '', password = '', identitytoken = '' }] = entry
    if (identitytoken !== '') return { identityToken: identitytoken }
    if (username !== '') return { user: username, password }
    if (auth !== '') {
      const [user = '', ...rest] = Buffer.from(auth, 'base64').toString('utf8').split(':')
      if (rest.length === 0)
        throw new Error(`${path}: auths.${JSON.stringify(name)}.auth is no base64 of user:password: log in again`)
      // Docker pads what it wrote in its early days.
      return { user, password: rest.join(':').replace(/\0+$/, '') }
    }
  }
  if (credsStore === '') return undefined
  for (const name of names) {
    const found = askHelper(credsStore, name)
    if (found !== undefined) return found
  }
  return undefined
}

function parsed(path: string, text: string): z.infer<typeof configuration> {
  try {
    return configuration.parse(JSON.parse(text))
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    throw new Error(`${path} is not docker's configuration: ${why}`)
  }
}

/** Old files name a registry by a URL. */
function hostOf(name: string): string {
  return name.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
}

function askHelper(helper: string, registry: string): Credentials | undefined {
  const program = `docker-credential-${helper}`
  const { status, stdout, stderr, error } = spawnSync(program, ['get'], { input: registry, encoding: 'utf8', timeout: 60_000 })
  if (error !== undefined) throw new Error(`${program}, which docker's configuration names for ${registry}: ${error.message}`)
  const said = `${stdout}${stderr}`.trim()
  // The protocol's own words for a registry that nobody has logged in to.
  if (status !== 0 && /credentials not found/i.test(said)) return undefined
  if (status !== 0) throw new Error(`${program} get, asked for ${registry}: ${said.slice(0, 500)}`)
  const { Username: user, Secret: password } = helperAnswer.parse(JSON.parse(stdout))
  return user === tokenUser ? { identityToken: password } : { user, password }
}
