// What is in the image, as CycloneDX 1.6: the bundled packages by the lock file, Node, and the Debian packages of the base.
import { createHash } from 'node:crypto'
import { ComponentType, HashAlgorithm } from '@cyclonedx/cyclonedx-library/Enums'
import { Bom, Component, LicenseExpression, NamedLicense, SpdxLicense } from '@cyclonedx/cyclonedx-library/Models'
import { JSON as Json, JsonSerializer } from '@cyclonedx/cyclonedx-library/Serialize'
import { isSupportedSpdxId } from '@cyclonedx/cyclonedx-library/SPDX'
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec'
import type { DebianPackage } from './debian-base.ts'
import type { LockedPackage, LockFile } from './lock-file.ts'

export const billMediaType = 'application/vnd.cyclonedx+json'

export interface BillParts {
  readonly version: string
  readonly revision: string
  /** Seconds since 1970. */
  readonly date: number
  /** Paths below node_modules of what is in the bundle. */
  readonly bundled: readonly string[]
  /** The npm packages of each platform's Node, which its program is taken from. */
  readonly nodePackages: readonly string[]
  readonly debian: readonly DebianPackage[]
  readonly lock: LockFile
}

/** The bill as JSON text; the same parts give the same text. @throws Error where a package is not in the lock file */
export function billOfMaterials(parts: BillParts): string {
  const { lock, revision } = parts
  const { bom, product } = billAbout(`pkg:github/ballast-dev/ballast@${revision}`, parts)
  const packages = new Map(parts.bundled.map(path => [path, npmComponent(lock.packageAt(path), ComponentType.Library)]))
  for (const [path, component] of packages) {
    bom.components.add(component)
    if (!path.includes('/node_modules/') && lock.dependencies.includes(path)) product.dependencies.add(component.bomRef)
    for (const name of lock.packageAt(path).dependencies) {
      const used = packages.get(lock.resolve(path, name) ?? '')
      if (used !== undefined) component.dependencies.add(used.bomRef)
    }
  }
  const debian = parts.debian.map(debianComponent)
  for (const component of debian) bom.components.add(component)
  for (const path of parts.nodePackages) {
    const node = npmComponent(lock.packageAt(path), ComponentType.Platform)
    for (const { bomRef } of debian)
      if (nodeLibraries.some(name => bomRef.value?.includes(`/${name}@`))) node.dependencies.add(bomRef)
    bom.components.add(node)
    product.dependencies.add(node.bomRef)
  }
  return textOf(bom)
}

interface ChartParts extends Pick<BillParts, 'version' | 'date'> {
  /** The packed chart. */
  readonly chart: Uint8Array
  /** The digest of the image that pods run where the values name no other. */
  readonly imageDigest: string
}

/** What is in a chart: text of ours, and a name of the image. The same parts give the same text. */
export function chartBill(parts: ChartParts): string {
  const { version, chart, imageDigest } = parts
  const { bom, product } = billAbout(`pkg:helm/ballast@${version}`, parts)
  product.hashes.set(HashAlgorithm['SHA-256'], createHash('sha256').update(chart).digest('hex'))
  const repository = encodeURIComponent('ghcr.io/ballast-dev/ballast')
  const purl = `pkg:oci/ballast@${encodeURIComponent(imageDigest)}?repository_url=${repository}&tag=${encodeURIComponent(version)}`
  const image = new Component(ComponentType.Container, 'ballast', { bomRef: purl, version, purl })
  image.licenses.add(licence('Apache-2.0'))
  bom.components.add(image)
  product.dependencies.add(image.bomRef)
  return textOf(bom)
}

function billAbout(purl: string, { version, date }: Pick<BillParts, 'version' | 'date'>) {
  const product = new Component(ComponentType.Application, 'ballast', { bomRef: 'ballast', version, purl })
  product.licenses.add(licence('Apache-2.0'))
  const bom = new Bom()
  bom.metadata.component = product
  bom.metadata.timestamp = new Date(date * 1000)
  return { bom, product }
}

function textOf(bom: Bom): string {
  const serializer = new JsonSerializer(new Json.Normalize.Factory(Spec1dot6))
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`
}

const nodeLibraries = ['libc6', 'libgcc-s1', 'libstdc%2B%2B6']

function npmComponent(one: LockedPackage, type: ComponentType): Component {
  const purl = `pkg:npm/${one.name.replace(/^@/, '%40')}@${one.version}`
  const [scope, bare] = one.name.startsWith('@') ? one.name.split('/', 2) : [undefined, one.name]
  const component = new Component(type, bare ?? one.name, {
    bomRef: one.path === one.name ? purl : `${purl}#${one.path}`,
    version: one.version,
    purl,
    ...(scope === undefined ? {} : { group: scope }),
  })
  const [algorithm, hash] = one.integrity.split('-', 2)
  if (algorithm === 'sha512' && hash !== undefined)
    component.hashes.set(HashAlgorithm['SHA-512'], Buffer.from(hash, 'base64').toString('hex'))
  if (one.license !== undefined) component.licenses.add(licence(one.license))
  return component
}

function debianComponent({ name, version, architecture, sha256 }: DebianPackage): Component {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-13`
  const component = new Component(ComponentType.Library, name, { bomRef: purl, version, purl })
  component.hashes.set(HashAlgorithm['SHA-256'], sha256)
  return component
}

function licence(text: string): LicenseExpression | NamedLicense | SpdxLicense {
  if (isSupportedSpdxId(text)) return new SpdxLicense(text)
  return /\s(OR|AND|WITH)\s/.test(text) ? new LicenseExpression(text) : new NamedLicense(text)
}
