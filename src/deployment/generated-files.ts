// Everything that is committed below `deploy/`.
import type { Capability } from '#coordination/capability.ts'
import { installationValues, plainRelease } from './installation.ts'
import { objects } from './objects.ts'
import { chartFiles } from './packaging/chart.ts'
import { kustomizeFiles } from './packaging/kustomize.ts'
import { yamlDocuments } from './yaml-text.ts'

/** Path below `deploy/` → text. */
export function deploymentFiles(capabilities: readonly Capability[]): ReadonlyMap<string, string> {
  const values = installationValues({ preset: { namespace: { create: true } } }, capabilities)
  const plain = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') })
  return new Map([
    ['manifests/install.yaml', `# ballast manifests; generated, do not edit.\n${yamlDocuments(plain)}`],
    ...[...chartFiles(capabilities)].map(([path, text]) => [`chart/${path}`, text] as const),
    ...[...kustomizeFiles(capabilities)].map(([path, text]) => [`kustomize/${path}`, text] as const),
  ])
}
