// What a worker publishes of a large node: the recorded server of the tests, with as many options of its kernel and modules as real ones have.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Published {
  readonly flags: Record<string, { readonly elements: Record<string, object> }>
  readonly attributes: Record<string, { readonly elements: Record<string, string> }>
  readonly instances: Record<string, { readonly elements: readonly { readonly attributes: Record<string, string> }[] }>
}

const options = 3_200
const modules = 1_600

/** Some 130 KB as JSON. */
export function publishedFeatures(): Published {
  const file = join(import.meta.dirname, '..', 'test', 'fixtures', 'features', 'trees.json')
  const { trees }: { readonly trees: readonly { readonly tree: string; readonly spec: { readonly features: Published } }[] } =
    JSON.parse(readFileSync(file, 'utf8'))
  const server = trees.find(({ tree }) => tree === 'two-gpus')?.spec.features
  if (server === undefined) throw new Error('the tree two-gpus is not recorded')
  const config = Object.fromEntries(
    Array.from({ length: options }, (_, at) => [`OPTION_OF_THE_KERNEL_${at}`, at % 3 === 0 ? 'm' : 'y']),
  )
  const names = Object.fromEntries(Array.from({ length: modules }, (_, at) => [`module_of_the_kernel_${at}`, {}]))
  return {
    flags: {
      ...server.flags,
      'kernel.enabledmodule': { elements: { ...server.flags['kernel.enabledmodule']?.elements, ...names } },
    },
    attributes: {
      ...server.attributes,
      'kernel.config': { elements: { ...server.attributes['kernel.config']?.elements, ...config } },
    },
    instances: server.instances,
  }
}
