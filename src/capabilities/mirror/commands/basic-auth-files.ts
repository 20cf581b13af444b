// User and password that containerd has to say to the mirror, from a mounted Secret.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'

/** Where upstream's chart mounts it. */
export const basicAuthDirectory = '/etc/secrets/basic-auth'

/** `undefined` where neither file says something. A user without a password has the empty one. @throws CommandRefused for a file that cannot be read */
export function readBasicAuth(directory: string): { readonly username: string; readonly password: string } | undefined {
  const [username, password] = ['username', 'password'].map(name => textOf(join(directory, name)))
  if ((username ?? '') === '' && (password ?? '') === '') return undefined
  return { username: username ?? '', password: password ?? '' }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
    throw new CommandRefused(
      `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      exitCodes.failed,
    )
  }
}
