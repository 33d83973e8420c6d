-- The words of prompts by how often their images are kept as favourites; words of fewer than five images are left out.
SELECT
  word,
  COUNT(*) AS kept,
  COUNT(*) FILTER (WHERE favorite) AS favorites,
  ROUND(100.0 * COUNT(*) FILTER (WHERE favorite) / COUNT(*), 1) AS favorite_percent
FROM generated_images
CROSS JOIN UNNEST(ARRAY_DISTINCT(REGEXP_EXTRACT_ALL(LOWER(prompt), '[a-z]{4,}'))) AS t (word)
WHERE status = 'succeeded' AND deleted_at IS NULL AND word NOT IN ('with', 'from', 'that', 'this')
GROUP BY word
HAVING COUNT(*) >= 5
ORDER BY favorite_percent DESC, kept DESC, word
LIMIT 20
