// The file that a ClusterTriggerAuthentication names: a map of texts in JSON, below the folder that whoever installed us chose.
import { open, realpath } from 'node:fs/promises'
import { isAbsolute, join, sep } from 'node:path'
import { TriggerProblem } from '../triggers/parameters.ts'

const mostFileBytes = 1024 * 1024

/** @throws TriggerProblem, which does not show what is in the file */
export async function authFile(root: string, path: string): Promise<Readonly<Record<string, string>>> {
  if (root === '')
    throw new TriggerProblem('filePath: no folder of such files is configured (capabilities.autoscale.filePathRoot)')
  if (isAbsolute(path) || path.split(/[/\\]/).includes('..'))
    throw new TriggerProblem("filePath must be relative and not contain '..'")
  let text: string
  try {
    const [folder, file] = await Promise.all([realpath(root), realpath(join(root, path))])
    // A mounted Secret is made of links inside its folder; one that leads out of it is none of those.
    if (!file.startsWith(folder + sep)) throw new TriggerProblem(`filePath ${path} leads out of its folder`)
    await using handle = await open(file, 'r')
    const { size } = await handle.stat()
    if (size > mostFileBytes) throw new TriggerProblem(`filePath ${path} is larger than ${mostFileBytes} bytes`)
    text = await handle.readFile('utf8')
  } catch (error) {
    if (error instanceof TriggerProblem) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an error'
    throw new TriggerProblem(`filePath ${path} cannot be read: ${code}`)
  }
  const found = read(text)
  if (found === undefined) throw new TriggerProblem(`filePath ${path} is no map of texts in JSON`)
  return found
}

function read(text: string): Readonly<Record<string, string>> | undefined {
  try {
    const found: unknown = JSON.parse(text)
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined
    const entries = Object.entries(found)
    return entries.every(([, value]) => typeof value === 'string') ? Object.fromEntries(entries) : undefined
  } catch {
    return undefined // the caller says it, without the text
  }
}
