// The one heading of first rank of a page; the document is called after it, and the focus comes here when the page is opened.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { clusterName } from './cluster-name.ts'
import { visits } from './router.tsx'

let shownVisit = 0

/** `text` names the page; `children`, where given, are what is seen of it. `hidden`: for screen readers and the title only. */
export function PageTitle({ text, hidden = false, children }: { text: string; hidden?: boolean; children?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null)
  const cluster = clusterName.value
  useEffect(() => {
    document.title = [text, cluster, 'Ballast'].filter(part => part !== '').join(' · ')
  }, [text, cluster])
  const visit = visits.value
  useEffect(() => {
    // Not on the first page: there the browser has put the focus, and a reader starts at the top.
    if (visit === shownVisit) return
    shownVisit = visit
    heading.current?.focus({ preventScroll: true })
  }, [visit])
  return (
    <h1 ref={heading} tabIndex={-1} class={hidden ? 'frame-unseen' : 'frame-title'}>
      {children ?? text}
    </h1>
  )
}
