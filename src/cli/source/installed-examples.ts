// The example clusters, which come with the program in each form: `examples/NAME` is found also where no clone is.
import { existsSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../../examples', import.meta.url))

/** The cluster that is shown where none is named. */
export const firstExample = 'examples/talos-homelab'

/** Where what is called `path` lies: there, else, of an example, among those that came with the program. */
export function placeOf(path: string, isThere: (path: string) => boolean = existsSync): string {
  const [first, ...below] = normalize(path).split(/[/\\]/)
  if (first !== 'examples' || below.length === 0 || isThere(path)) return path
  const installed = join(folder, ...below)
  return isThere(installed) ? installed : path
}
