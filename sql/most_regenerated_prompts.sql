-- The images that were regenerated most: prompts that did not give what was wanted at once.
SELECT
  original.prompt,
  original.model,
  COUNT(*) AS regenerations,
  COUNT(*) FILTER (WHERE again.favorite) AS favorites
FROM generated_images AS again
INNER JOIN generated_images AS original ON original.id = again.parent_id
GROUP BY original.id, original.prompt, original.model
ORDER BY regenerations DESC, original.prompt
LIMIT 10
