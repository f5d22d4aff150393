/**
 * What they may do: rules for single containers first, then the ready-made policy (own entity and groups). A rule is `path` → action → groups; `path` holds for everything
 * below it too.
 */
export function withRules(policy, rules) {
  const ruleFor = (path, action) => {
    for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      // own members only: `constructor` is a name like others
      if (Object.hasOwn(rules, at) && Object.hasOwn(rules[at], action)) return rules[at][action]
    }
  }
  return {
    authenticate: policy.authenticate,
    anonymousWrites: false,
    authorize: (question) => {
      const { principal, action, resource } = question
      const groups = ruleFor(resource.path, action)
      if (groups === undefined || principal?.admin) return policy.authorize(question)
      return principal !== null && groups.some((group) => principal.groups.includes(group))
    },
    // no `visible`: the search asks `authorize` about each row, so the rules hold there too
  }
}
