// The page of a capability: what the server says of it, drawn as all of them.
import type { CapabilityView } from '../../contract.ts'
import { capabilityMarkup } from '../drawn/capability-page.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { onHost } from '../frame/base-path.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { keepingMoment } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { useTopic } from '../live/topics.ts'
import { StateNote } from '../widgets/state-note.tsx'

export function CapabilityPage({ params }: { params: Readonly<Record<string, string>> }) {
  const { name = '' } = params
  const topic = useTopic<CapabilityView>(`page:${name}`)
  const surroundings = { nowMs: now.value, zone: zone.value, link: (path: string) => onHost(keepingMoment(path)) }
  return (
    <StateNote topic={topic} title={topic.state.value === 'gone' ? 'No such page' : 'Loading'} what="pages">
      {view => (
        <>
          <PageTitle text={view.title} />
          <Drawn of={capabilityMarkup(view, surroundings)} />
        </>
      )}
    </StateNote>
  )
}
