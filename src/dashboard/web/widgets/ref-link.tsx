import type { Ref } from '../../contract.ts'
import { refPath } from '../../words/links.ts'
import { printable, shortName } from '../../words/names.ts'
import { A } from '../frame/router.tsx'

/** A thing of the cluster as a link to its page: `media/sonarr`, its kind in the title. */
export function RefLink({ of, withKind = false, most = 40 }: { of: Ref; withKind?: boolean; most?: number }) {
  const full = of.namespace === null ? of.name : `${of.namespace}/${of.name}`
  const short = of.namespace === null ? shortName(of.name, most) : `${of.namespace}/${shortName(of.name, most)}`
  return (
    <A href={refPath(of)} title={`${of.kind} ${full}`}>
      {withKind ? `${of.kind} ` : ''}
      {printable(short)}
    </A>
  )
}
