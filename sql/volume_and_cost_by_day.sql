-- What each of the last 30 days brought, and what it cost.
SELECT
  day,
  COUNT(*) AS records,
  COUNT(*) FILTER (WHERE status = 'succeeded') AS images,
  COUNT(DISTINCT user_id) AS users,
  SUM(cost_usd) AS cost_usd
FROM generated_images
WHERE day > CAST(CAST(current_date - INTERVAL '30' DAY AS DATE) AS VARCHAR)
GROUP BY day
ORDER BY day
