-- Why generations of the last 30 days gave no image, and the newest record of each kind to look at.
SELECT
  model,
  status,
  error,
  COUNT(*) AS records,
  SUM(cost_usd) AS cost_usd,
  MAX(created_at) AS last_at,
  MAX_BY(id, created_at) AS last_id
FROM generated_images
WHERE status IN ('failed', 'blocked') AND day > CAST(CAST(current_date - INTERVAL '30' DAY AS DATE) AS VARCHAR)
GROUP BY model, status, error
ORDER BY records DESC, model, error
