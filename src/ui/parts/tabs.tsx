/** Tabs: arrows move between them, and only the chosen one is a tab stop. */
import type { ComponentChildren, JSX } from 'preact'
import { useRef } from 'preact/hooks'

export interface Tab<Id extends string> {
  readonly id: Id
  readonly label: ComponentChildren
}

interface TabsProps<Id extends string> {
  readonly label: string
  readonly tabs: readonly Tab<Id>[]
  readonly chosen: Id
  readonly onChoose: (id: Id) => void
  /** Of the id of each tab and of its panel. */
  readonly prefix: string
  readonly look?: 'tabs' | 'segments'
  readonly className?: string
}

export const tabId = (prefix: string, id: string): string => `${prefix}-tab-${id}`
export const panelId = (prefix: string): string => `${prefix}-panel`

export function Tabs<Id extends string>(props: TabsProps<Id>): JSX.Element {
  const { label, tabs, chosen, onChoose, prefix, look = 'tabs', className = '' } = props
  const list = useRef<HTMLDivElement>(null)
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = tabs.findIndex(({ id }) => id === chosen)
    const move = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key]
    if (move === undefined) return
    event.preventDefault()
    const next = tabs[(move + tabs.length) % tabs.length]
    if (next === undefined) return
    onChoose(next.id)
    list.current?.querySelector<HTMLElement>(`#${CSS.escape(tabId(prefix, next.id))}`)?.focus()
  }
  return (
    <div class={`${look} ${className}`} role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
      {tabs.map((tab) => (
        <button
          type="button"
          role="tab"
          key={tab.id}
          id={tabId(prefix, tab.id)}
          aria-selected={tab.id === chosen}
          aria-controls={tab.id === chosen ? panelId(prefix) : undefined}
          tabIndex={tab.id === chosen ? 0 : -1}
          onClick={() => onChoose(tab.id)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  )
}

interface PanelProps {
  readonly prefix: string
  readonly chosen: string
  readonly className?: string
  readonly children: ComponentChildren
}

export const TabPanel = ({ prefix, chosen, className, children }: PanelProps): JSX.Element => (
  <div role="tabpanel" id={panelId(prefix)} aria-labelledby={tabId(prefix, chosen)} class={className}>
    {children}
  </div>
)
