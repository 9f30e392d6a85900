UPDATE replay_progress
   SET simulated_at = %(simulated_at)s,
       announced = announced + %(announce)s,
       departed = departed + %(depart)s,
       landed = landed + %(land)s,
       cancelled = cancelled + %(cancel)s,
       is_over = %(is_over)s
