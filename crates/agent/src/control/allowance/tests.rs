use super::*;

#[test]
fn some_questions_come_at_once_and_the_others_one_after_the_other() {
    let (mut allowance, now) = (Allowance::default(), Instant::now());
    for _ in 0..QUESTIONS_AT_ONCE {
        assert_eq!(allowance.wait(1000, now), Duration::ZERO);
    }
    assert_eq!(allowance.wait(1000, now), QUESTION_EVERY);
    assert_eq!(allowance.wait(1000, now), 2 * QUESTION_EVERY);
    assert_eq!(allowance.wait(1001, now), Duration::ZERO, "others do not wait for it");
    let later = now + QUESTION_EVERY * (QUESTIONS_AT_ONCE + 2);
    assert_eq!(allowance.wait(1000, later), Duration::ZERO, "that was long ago");
}

#[test]
fn whoever_comes_as_a_thousand_users_is_one() {
    let (mut allowance, now) = (Allowance::default(), Instant::now());
    let most = u32::try_from(USERS_ASKING_MAX).expect("small");
    for uid in 0..most + QUESTIONS_AT_ONCE {
        assert_eq!(allowance.wait(uid, now), Duration::ZERO);
    }
    assert_eq!(allowance.wait(most + QUESTIONS_AT_ONCE, now), QUESTION_EVERY);
    assert_eq!(allowance.0.len(), USERS_ASKING_MAX + 1);
}
